"""From an extracted backbone to a trained, tested and drawn classifier of real scenes, by the users' commands."""

import json

import cv2
import pytest


@pytest.mark.slow
def test_a_classifier_of_uc_merced(extracted_r18, data_root, repo, run_tool, tmp_path):
    classes = sorted(folder.name for folder in (data_root / 'ucmerced').iterdir() if folder.is_dir())
    for split, images in (('train', slice(0, 8)), ('val', slice(8, 11))):
        lines = [
            f'{name}/{file.name} {label}\n'
            for label, name in enumerate(classes)
            for file in sorted((data_root / 'ucmerced' / name).iterdir())[images]
        ]
        (tmp_path / f'{split}.txt').write_text(''.join(lines))
    config = tmp_path / 'classifier_r18_ucm.py'
    config.write_text(
        f"_base_ = '{repo}/configs/classification/classifier_r18_scenes.py'\n"
        f"data = dict(data_root={str(data_root / 'ucmerced')!r}, data_prefix='')\n"
        "squeeze = dict(type='Resize', scale=(96, 96))\n"
        f'model = dict(backbone=dict(init_cfg=dict(checkpoint={str(extracted_r18)!r})),\n'
        '    data_preprocessor=dict(num_classes=21), head=dict(num_classes=21))\n'
        'train_dataloader = dict(batch_size=24, dataset=dict(data, '
        f'ann_file={str(tmp_path / "train.txt")!r}, '
        'pipeline=[_base_.train_pipeline[0], squeeze, *_base_.train_pipeline[2:]]))\n'
        'val_dataloader = dict(dataset=dict(data, '
        f'ann_file={str(tmp_path / "val.txt")!r}, '
        'pipeline=[_base_.test_pipeline[0], squeeze, _base_.test_pipeline[1]]))\n'
        'test_dataloader = val_dataloader\n'
        'train_cfg = dict(max_epochs=12, val_interval=12)\n'
    )
    run_tool('train.py', config, '--work-dir', tmp_path / 'run')
    (scalars,) = tmp_path.glob('run/*/vis_data/scalars.json')
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    losses = [row['loss'] for row in rows if 'loss' in row]
    assert losses[-1] < losses[0] / 2
    assert [row['accuracy/top1'] for row in rows if 'accuracy/top1' in row][-1] > 3 * 100 / 21

    printed = run_tool('test.py', config, tmp_path / 'run/epoch_12.pth', '--show-dir', tmp_path / 'shown')
    assert 'accuracy/top1: ' in printed
    pictures = list((tmp_path / 'shown').rglob('*.png'))
    assert len(pictures) == 63
    assert cv2.imread(str(pictures[0])).std() > 10
