"""Two real processes: one index, one order of samples, one list of unreadable images."""

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from cmid_mm.datasets import UnlabelledImages
from cmid_mm.datasets.preparation.pack import pack_images
from cmid_mm.engine.hooks.unreadable_hook import LIST_NAME, UnreadableImagesHook

PIPELINE = [
    {'type': 'LoadAerialImage'},
    {'type': 'RandomResizedCrop', 'scale': 64},
    {'type': 'PackInputs'},
]


def batches(root: str, work: str, batch_size: int) -> list[list]:
    """Path and sum of pixels of each sample of each batch of this process."""
    loader = Runner.build_dataloader(
        {
            'batch_size': batch_size,
            'num_workers': 0,
            'sampler': {'type': 'EpochSampler'},
            'batch_sampler': {'type': 'GlobalBatchSampler'},
            'dataset': {
                'type': 'UnlabelledImages',
                'data_root': root,
                'pipeline': PIPELINE,
                'cache': f'{work}/cache',
            },
        },
        seed=3,
    )
    return [
        [
            [sample.img_path, int(image.sum())]
            for sample, image in zip(batch['data_samples'], batch['inputs'], strict=True)
        ]
        for batch in loader
    ]


def process(port: str, root: str, work: str, rank: int) -> None:
    """What each of the two processes does; what it saw goes to a file."""
    os.environ['LOCAL_RANK'] = str(rank)
    torch.distributed.init_process_group('gloo', f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    init_default_scope('mmpretrain')
    report = {'batches': batches(root, work, 4), 'packed': batches(f'{work}/images.lmdb', work, 4)}
    try:
        UnlabelledImages(f'{work}/nowhere', cache=f'{work}/cache')
    except FileNotFoundError as error:
        report['missing'] = str(error)
    try:
        # Whole for one of the processes, as where each machine has a copy.
        UnlabelledImages([f'{work}/images.lmdb', f'{work}/{rank}.lmdb'])
    except ValueError as error:
        report['unfinished'] = str(error)
    runner = SimpleNamespace(
        work_dir=work,
        iter=0,
        logger=logging.getLogger('test'),
        train_dataloader=SimpleNamespace(dataset=range(4)),
    )
    hook = UnreadableImagesHook(max_fraction=0.5)
    hook.before_train(runner)
    hook._new = {f'/only_{rank}.jpg': 'cut', '/both.jpg': 'empty'}
    try:
        hook._exchange(runner)
    except RuntimeError as error:
        report['stopped'] = str(error)
    report['known'] = sorted(hook.known)
    Path(work, f'{rank}.json').write_text(json.dumps(report))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes(tmp_path: Path, repo: Path) -> None:
    root, work = tmp_path / 'images', tmp_path / 'work'
    root.mkdir()
    work.mkdir()
    for number in range(21):
        noise = torch.randint(256, (80, 80, 3), dtype=torch.uint8)
        Image.fromarray(noise.numpy()).save(root / f'{number}.png')
    pack_images([root], work / 'images.lmdb', cache=str(tmp_path / 'cache'))
    for rank in range(2):
        shutil.copytree(work / 'images.lmdb', work / f'{rank}.lmdb')
    record = json.loads((work / '1.lmdb' / 'pack.json').read_text())
    del record['parts']['content']
    (work / '1.lmdb' / 'pack.json').write_text(json.dumps(record))
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    environment = {**os.environ, 'PYTHONPATH': str(repo), 'OMP_NUM_THREADS': '1'}
    arguments = [sys.executable, __file__, str(port), str(root), str(work)]
    processes = [subprocess.Popen([*arguments, str(rank)], env=environment) for rank in range(2)]
    try:
        assert [running.wait(120) for running in processes] == [0, 0]
    finally:
        for running in processes:
            running.kill()
    first, second = (json.loads((work / f'{rank}.json').read_text()) for rank in range(2))

    together = [a + b for a, b in zip(first['batches'], second['batches'], strict=True)]
    assert together == batches(str(root), str(work), 8)
    assert len(list((work / 'cache').glob('*.index*'))) == 1

    packed = [a + b for a, b in zip(first['packed'], second['packed'], strict=True)]
    assert packed == batches(str(work / 'images.lmdb'), str(work), 8)
    assert [Path(path).name for batch in packed for path, _ in batch] == [
        Path(path).name for batch in together for path, _ in batch
    ]
    assert '1.lmdb is an unfinished pack' in first['unfinished']
    assert first['unfinished'] == second['unfinished']

    assert first['missing'] == second['missing']
    assert 'nowhere is no folder' in first['missing']

    assert first['known'] == second['known'] == ['/both.jpg', '/only_0.jpg', '/only_1.jpg']
    assert first['stopped'] == second['stopped']
    assert '3 of 4 images' in first['stopped']
    assert len((work / LIST_NAME).read_text().splitlines()) == 3


if __name__ == '__main__':
    process(*sys.argv[1:4], int(sys.argv[4]))
