"""What the data pipeline costs beside plain decoding, on one core: tools/benchmark/data.py CONFIG [--json].

For JPEGs of each size: images a second of a plain decode (Pillow: open, convert to RGB, to an array), of all that a
worker does for the views of a config (load, crop, flip, mask, noise, pack, collate), and of the same with the
photometric noise drawn but computed on the device; and of both from a pack (tools/datasets/pack.py). They take turns
on the same images. Counted is the time that the process had on a core, so that other programs do not pass for cost,
nor does waiting for a disk. --json prints one object with a key for each size, and in it for each path images a second
(..._per_s), cost in plain decodes (..._cost) and, but for packs, shares of the transforms (..._shares).

The images are cut from those in --images, or drawn scenes. With --step-rate, the images/s that tools/benchmark/step.py
printed, it says how many workers keep up.
"""

import argparse
import contextlib
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

# OpenMMLab prints on import which parts are missing.
with contextlib.redirect_stdout(sys.stderr):
    import cv2
    import numpy as np
    import torch
    from mmengine.config import Config, DictAction
    from mmengine.dataset import default_collate
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import DATASETS
    from PIL import Image
    from result_stdout import stdout_for_the_result

    from cmid_mm.datasets.preparation.pack import pack_images
    from cmid_mm.datasets.preparation.pack_form import PackForm
    from cmid_mm.datasets.scenes import draw_scene
    from cmid_mm.datasets.seeding import SeededIndex
    from cmid_mm.engine.environment import environment

SIZES = (256, 512, 1024, 4096)
QUALITY = 90
# Pixels of all images of one size together: enough images to average over, few enough to wait for.
PIXELS = 2**24


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a pretraining config, such as configs/cmid/cmid_r50_millionaid.py')
    parser.add_argument('--images', type=Path, help='folder of images to cut from; default: drawn scenes')
    parser.add_argument('--sizes', type=int, nargs='+', default=SIZES, help='sides of the JPEGs in pixels')
    parser.add_argument('--rounds', type=int, default=5, help='times that each image goes through each path')
    parser.add_argument('--step-rate', type=float, help='images/s of a training step, to be kept up with')
    parser.add_argument('--json', action='store_true', help='print one object instead of the table')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings, as a.b=value')
    args = parser.parse_args()
    if min(*args.sizes, args.rounds, 1) < 1:
        parser.error('--sizes and --rounds must be 1 or more')
    return args


def source_images(folder: Path | None) -> list[np.ndarray]:
    """RGB images (H, W, 3) to cut from."""
    if folder is None:
        return [draw_scene(seed, seed % 18, size=512).image for seed in range(8)]
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in ('.jpg', '.jpeg', '.png', '.tif'))
    if not paths:
        raise SystemExit(f'--images {folder} holds no JPEG, PNG or TIFF; name a folder that does')
    chosen = paths[:: max(1, len(paths) // 32)][:32]
    return [np.asarray(Image.open(path).convert('RGB')) for path in chosen]


def write_images(folder: Path, sources: Sequence[np.ndarray], size: int) -> None:
    """Write square JPEGs cut from the sources, which are mirrored where they are smaller."""
    for number in range(max(2, min(64, PIXELS // size**2))):
        source = sources[number % len(sources)]
        short = [max(0, size - side) for side in source.shape[:2]]
        whole = np.pad(source, ((0, short[0]), (0, short[1]), (0, 0)), mode='symmetric')[:size, :size]
        Image.fromarray(whole).save(folder / f'{number:03}.jpg', quality=QUALITY)


def noise_drawn_only(pipeline: list[dict]) -> list[dict]:
    """The pipeline as configs/_base_/datasets/cmid_views_224_device.py changes it: noise is drawn, not applied.

    The noise of a view is what it has beyond the first view, which is photometrically as it was.
    """
    *before, views, pack = (dict(step) for step in pipeline)
    if views['type'] != 'TwoViews' or pack['type'] != 'PackInputs':
        raise SystemExit(f'train_pipeline ends in {views["type"]}, {pack["type"]}; expected TwoViews and PackInputs')
    if 'noise' in pack['algorithm_keys']:
        return pipeline
    plain = len(views['views'][0])
    views['views'] = [
        [*view[:plain], dict(type='DrawPhotometricNoise', steps=list(view[plain:]))] for view in views['views']
    ]
    return [*before, views, dict(pack, algorithm_keys=(*pack['algorithm_keys'], 'noise'))]


def seconds_of(function: Callable[[], None]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


class Shares:
    """Time of each transform of a pipeline, in each view."""

    def __init__(self, pipeline) -> None:
        self.seconds = defaultdict(float)
        self._watch(pipeline, '')

    def _watch(self, pipeline, place: str) -> None:
        for number, step in enumerate(pipeline.transforms):
            name = f'{place}{type(step).__name__}'
            if type(step).__name__ == 'TwoViews':
                for view, steps in enumerate(step.views, 1):
                    self._watch(steps, f'view {view}: ')
            pipeline.transforms[number] = self._timed(name, step)

    def _timed(self, name: str, step: Callable) -> Callable:
        def timed(results: dict) -> dict:
            started = time.process_time()
            results = step(results)
            self.seconds[name] += time.process_time() - started
            return results

        return timed

    def of(self, total: float) -> dict[str, float]:
        """Shares of the whole; a step that holds others counts for what it does besides."""
        inner = sum(value for name, value in self.seconds.items() if name.startswith('view '))
        own = {name: value - inner if name == 'TwoViews' else value for name, value in self.seconds.items()}
        own['seeding, index, collate'] = total - sum(own.values())
        return {name: value / total for name, value in sorted(own.items(), key=lambda item: -item[1])}


def measure_size(folder: Path, pipelines: dict[str, list[dict]], rounds: int) -> dict:
    """Images a second of each path on the images of one size, and the shares of their transforms."""
    files = sorted((folder / 'images').glob('*.jpg'))
    cache = str(folder / 'index')
    loader = pipelines['cpu_path'][0]
    form = PackForm(crop_size=loader['crop_size'], min_area=loader['min_area'])
    pack_images([folder / 'images'], folder / 'pack', form=form, cache=cache)
    datasets = {
        f'{prefix}{name}': DATASETS.build(
            dict(type='UnlabelledImages', data_root=str(folder / root), cache=cache, pipeline=pipeline)
        )
        for prefix, root in (('', 'images'), ('packed_', 'pack'))
        for name, pipeline in pipelines.items()
    }

    def decode() -> None:
        for file in files:
            np.asarray(Image.open(file).convert('RGB'))

    def load(name: str, turn: int) -> None:
        dataset = datasets[name]
        default_collate([dataset[SeededIndex(index, turn * len(files) + index)] for index in range(len(files))])

    seconds = defaultdict(list)
    for turn in range(rounds + 1):
        runs = {'decode': decode} | {name: partial(load, name, turn) for name in datasets}
        for name, run in runs.items():
            if turn:  # the first fills caches
                seconds[name].append(seconds_of(run))
            else:
                run()
    figures = {f'{name}_per_s': len(files) * rounds / math.fsum(values) for name, values in seconds.items()}
    for name in datasets:
        figures[f'{name}_cost'] = figures['decode_per_s'] / figures[f'{name}_per_s']
    for name in pipelines:
        shares = Shares(datasets[name].pipeline)
        figures[f'{name}_shares'] = shares.of(sum(seconds_of(partial(load, name, turn)) for turn in range(rounds)))
    return figures


def measure(args: argparse.Namespace) -> dict:
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    pipeline = [dict(step) for step in cfg.train_dataloader.dataset.pipeline]
    pipelines = dict(cpu_path=pipeline, device_path=noise_drawn_only(pipeline))
    sources = source_images(args.images)
    figures = {}
    for size in args.sizes:
        with TemporaryDirectory() as folder:
            (Path(folder) / 'images').mkdir()
            write_images(Path(folder) / 'images', sources, size)
            figures[str(size)] = measure_size(Path(folder), pipelines, args.rounds)
    return figures


def table(figures: dict, step_rate: float | None) -> str:
    lines = [
        environment()['Hardware'],
        '',
        f'JPEG of quality {QUALITY}; images/s, and cost in plain decodes',
        '',
        '| px | plain decode | CPU path | noise on the device | CPU path, packed | noise on the device, packed |',
        '|---|---|---|---|---|---|',
    ]
    paths = ('cpu_path', 'device_path', 'packed_cpu_path', 'packed_device_path')
    for size, row in figures.items():
        cells = [f'{row[f"{path}_per_s"]:.0f} ({row[f"{path}_cost"]:.2f}x)' for path in paths]
        lines.append(f'| {size} | {row["decode_per_s"]:.0f} | {" | ".join(cells)} |')
    for size, row in figures.items():
        for path in ('cpu_path', 'device_path'):
            lines += ['', f'{size} px, share of the {path.replace("_", " ")}:']
            lines += [f'  {name:<34} {share:6.1%}' for name, share in row[f'{path}_shares'].items()]
            if step_rate:
                workers = math.ceil(step_rate / row[f'{path}_per_s'])
                lines.append(f'  {workers} workers, each with a core, keep up with {step_rate:g} images/s')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    with stdout_for_the_result() as out:
        MMLogger.get_instance('mmengine', log_level='WARNING')
        init_default_scope('mmpretrain')
        figures = measure(args)
        print(json.dumps(figures) if args.json else table(figures, args.step_rate), file=out)


if __name__ == '__main__':
    main()
