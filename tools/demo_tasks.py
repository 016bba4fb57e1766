"""From unlabelled scenes to four trained tasks, by the users' own commands: tools/demo_tasks.py [--seeds 0 1 2].

Scenes are drawn, a small CMID is pretrained on those of the training split without their labels, its backbone is
extracted, and each task (scene classes, masks, oriented boxes, change) is trained from it and from an untrained one
under the same budget, tested and drawn. It ends with one page. The validation scenes of no task are seen before.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.utils import import_modules_from_strings

from cmid_mm.datasets.scenes import replace_scenes
from cmid_mm.engine.environment import cores, environment
from cmid_mm.engine.image_fitting import fit_queues
from cmid_mm.engine.optimizers import cpu_multiplies_bfloat16
from cmid_mm.engine.short_run import fit_to_short_run, use_fast_precision
from cmid_mm.visualization.loss_curves import draw_compared_losses, find_scalars, read_scalars
from cmid_mm.visualization.progress import ProgressBar, StageClock
from cmid_mm.visualization.report import Picture, Table, write_report

TOOLS = Path(__file__).resolve().parent
CONFIGS = TOOLS.parent / 'configs'
PRETRAINING = 'cmid/cmid_r18_demo.py'
SIZE = 128
PRETRAINED = 'CMID'
# What CMID is compared with. Pretraining begins as 'untrained' does, so the difference is pretraining alone;
# mmpretrain's own start has residual branches that add nothing at first.
UNTRAINED = {'untrained': dict(zero_init_residual=False), 'zero-residual': dict(zero_init_residual=True)}
SHOWN = 3


@dataclass(frozen=True)
class Task:
    """A task of the drawn scenes: its config, metric, folder, and where its validation images lie."""

    name: str
    config: str
    folder: str
    metric: str
    label: str
    factor: float
    images: tuple[str, ...]


TASKS = (
    Task(
        name='classification',
        config='classification/classifier_r18_scenes.py',
        folder='classification',
        metric='accuracy/top1',
        label='accuracy',
        factor=1,
        images=('val',),
    ),
    Task(
        name='segmentation',
        config='segmentation/upernet_r18_scenes.py',
        folder='segmentation',
        metric='mIoU',
        label='mIoU',
        factor=1,
        images=('img_dir/val',),
    ),
    Task(
        name='oriented detection',
        config='detection/oriented-rcnn_r18_scenes.py',
        folder='detection',
        metric='dota/mAP',
        label='mAP at 0.5',
        factor=100,
        images=('val/images',),
    ),
    Task(
        name='change detection',
        config='change_detection/bit_r18_scenes.py',
        folder='change',
        metric='F1',
        label='F1 of change',
        factor=1,
        images=('val/A', 'val/B'),
    ),
)


@dataclass(frozen=True)
class Run:
    """One training of one task."""

    task: Task
    start: str
    seed: int
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / 'config.py'

    @property
    def work_dir(self) -> Path:
        return self.folder / 'run'

    def checkpoint(self) -> Path:
        """The last checkpoint, which the run names."""
        return Path((self.work_dir / 'last_checkpoint').read_text().strip())

    def score(self) -> float:
        """The metric of the last validation, in percent."""
        rows = [json.loads(line) for file in find_scalars(self.work_dir) for line in file.read_text().splitlines()]
        return self.task.factor * [row[self.task.metric] for row in rows if self.task.metric in row][-1]


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/demo-tasks'), help='where everything is written'
    )
    parser.add_argument('--scenes', type=int, default=1600, help='scenes to draw for each task')
    parser.add_argument(
        '--labelled', type=int, default=160, help='training scenes whose labels a task sees; each is repeated'
    )
    parser.add_argument('--pretrain-epochs', type=int, default=60, help='epochs of pretraining')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='each task is trained with each')
    parser.add_argument(
        '--against', nargs='+', choices=UNTRAINED, default=['untrained'], help='starts that CMID is compared with'
    )
    parser.add_argument('--tasks', nargs='+', choices=[task.folder for task in TASKS], help='(default: all)')
    parser.add_argument(
        '--jobs', type=int, default=min(4, cores()), help='models trained at once; they share the cores'
    )
    return parser.parse_args(arguments)


def call(tool: str, *arguments: str | Path, log: Path, threads: int | None = None) -> str:
    """Run one of the users' commands, on all cores unless told; returns what it printed, which ``log`` keeps.

    Raises:
        RuntimeError: If it fails.
    """
    command = [sys.executable, str(TOOLS / tool), *map(str, arguments)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('w') as file:
        file.write(shlex.join(command) + '\n')
        file.flush()
        code = subprocess.run(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'OMP_NUM_THREADS': str(threads or cores())},
            check=False,
        ).returncode
    text = log.read_text()
    if code:
        raise RuntimeError(f'{tool} failed; its last line is {text.splitlines()[-1]!r}, the others are in {log}')
    return text


def pretrain(args: argparse.Namespace, scenes: Path) -> Path:
    """Pretrain on the training scenes and extract the backbone, unless an earlier run with these settings has."""
    folder = args.work_dir / 'pretrain'
    backbone = args.work_dir / 'backbone.safetensors'
    cfg = Config.fromfile(CONFIGS / PRETRAINING)
    loader = cfg.train_dataloader
    images = sum(1 for _ in (scenes / 'classification/train').rglob('*.png'))
    loader.dataset.update(data_root=str((scenes / 'classification/train').resolve()), cache=str(folder.resolve()))
    loader.pin_memory = False
    loader.batch_size = min(loader.batch_size, images)
    fit_queues(cfg, images)
    use_fast_precision(cfg)
    fit_to_short_run(cfg, images // loader.batch_size, args.pretrain_epochs)
    cfg.default_hooks.checkpoint = dict(type='WholeCheckpointHook', interval=args.pretrain_epochs, max_keep_ckpts=1)
    if changed(folder / 'config.py', cfg) or not backbone.is_file():
        # Another folder than the config's, because the runner writes a config of this name into its own.
        work_dir = folder / 'run'
        backbone.unlink(missing_ok=True)  # if this is cut short, an older one must not pass for it
        call('train.py', folder / 'config.py', '--work-dir', work_dir, log=folder / 'train.log')
        trained = (work_dir / 'last_checkpoint').read_text().strip()
        call('extract_backbone.py', trained, backbone, log=folder / 'extract.log')
    return backbone


def changed(path: Path, cfg: Config) -> bool:
    """Write a config; returns whether another one, or none, stood there."""
    former = path.read_text() if path.is_file() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)
    return path.read_text() != former


def read_config(task: Task, scenes: Path) -> Config:
    """The task's config on these scenes."""
    cfg = Config.fromfile(CONFIGS / task.config)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str((scenes / task.folder).resolve())
    return cfg


def count_images(task: Task, scenes: Path) -> int:
    """How many images there are to train on; for detection, those with boxes."""
    cfg = read_config(task, scenes)
    import_modules_from_strings(**cfg.custom_imports)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return len(DATASETS.build(cfg.train_dataloader.dataset))


def configure(run: Run, scenes: Path, backbone: Path, labelled: int, number: int) -> Config:
    """The task's config from this start, with ``labelled`` of ``number`` images and as many iterations as with all."""
    cfg = read_config(run.task, scenes)
    dataset = cfg.train_dataloader.dataset
    # Evenly spread, because files are sorted by class.
    dataset.indices = np.linspace(0, number - 1, min(labelled, number)).round().astype(int).tolist()
    times = max(1, round(number / labelled))
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=times, dataset=dataset)
    cfg.randomness.seed = run.seed
    if run.start == PRETRAINED:
        cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(backbone.resolve()))
    else:
        cfg.model.backbone.update(init_cfg=None, **UNTRAINED[run.start])
    cfg.train_cfg.val_interval = cfg.train_cfg.max_epochs
    checkpoint = cfg.default_hooks.checkpoint
    checkpoint.update(interval=cfg.train_cfg.max_epochs, save_best=None)
    return cfg


def train(run: Run, scenes: Path, backbone: Path, labelled: int, numbers: dict[Task, int], threads: int) -> None:
    """Train and validate one model, unless it stands there from an earlier run."""
    cfg = configure(run, scenes, backbone, labelled, numbers[run.task])
    same = not changed(run.config, cfg)
    # A backbone that was trained anew is newer than what was trained from it.
    done = run.folder / 'done'
    if same and done.is_file() and (run.start != PRETRAINED or done.stat().st_mtime > backbone.stat().st_mtime):
        return
    done.unlink(missing_ok=True)
    shutil.rmtree(run.work_dir, ignore_errors=True)
    amp = ('--amp', 'bf16') if cpu_multiplies_bfloat16() else ()
    call('train.py', run.config, '--work-dir', run.work_dir, *amp, log=run.folder / 'train.log', threads=threads)
    done.touch()


def show(run: Run, scenes: Path, report: Path) -> Picture:
    """Test a model, predict a few validation scenes with it, and put the pictures side by side."""
    task = run.task
    model = run.config, run.checkpoint()
    call('test.py', *model, '--work-dir', run.folder / 'test', log=run.folder / 'test.log')
    samples = run.folder / 'samples'
    inputs = []
    for place in task.images:
        files = sorted((scenes / task.folder / place).rglob('*.png'))
        chosen = files[:: max(1, len(files) // SHOWN)][:SHOWN]
        folder = samples / place.replace('/', '_')
        folder.mkdir(parents=True, exist_ok=True)
        for file in chosen:
            (folder / file.name).write_bytes(file.read_bytes())
        inputs.append(folder)
    out = run.folder / 'predictions'
    call('predict.py', *model, *inputs, '--out-dir', out, log=run.folder / 'predict.log')
    drawn = sorted((out / 'pictures').rglob('*.jpg'))
    pictures = [cv2.imread(str(file)) for file in drawn[:SHOWN]]
    height = max(picture.shape[0] for picture in pictures)
    scaled = [
        cv2.resize(picture, (round(picture.shape[1] * height / picture.shape[0]), height)) for picture in pictures
    ]
    name = f'{task.folder}.jpg'
    cv2.imwrite(str(report / name), np.concatenate(scaled, axis=1))
    return Picture(
        name, task.name.capitalize(), f'What the model that began with CMID says of {SHOWN} validation scenes.'
    )


def table_of(runs: list[Run], seeds: list[int]) -> Table:
    """Metric of each task from each start, mean and deviation over the seeds."""
    rows, best = [], set()
    starts = tuple(dict.fromkeys(run.start for run in runs))
    for task in dict.fromkeys(run.task for run in runs):
        cells, means = [], []
        for start in starts:
            scores = np.array([run.score() for run in runs if run.task == task and run.start == start])
            spread = f' ± {scores.std(ddof=1):.1f}' if len(seeds) > 1 else ''
            means.append(scores.mean())
            cells.append(f'{scores.mean():.1f}{spread}')
        best.add((len(rows), 2 + int(np.argmax(means))))
        rows.append((task.name, task.label, *cells))
    return Table(('task', 'metric, %', *starts), rows, best)


def run_all(args: argparse.Namespace, command: str) -> Path:
    """Run the whole chain; returns the page of the report."""
    timer = StageClock()
    scenes, report = args.work_dir / 'scenes', args.work_dir / 'report'
    report.mkdir(parents=True, exist_ok=True)
    with timer.stage('drawing scenes'):
        replace_scenes(scenes, args.scenes, size=SIZE, workers=cores())
    with timer.stage('pretraining'):
        print('pretraining (the longest part; its log is in', f'{args.work_dir / "pretrain/train.log"})', flush=True)
        backbone = pretrain(args, scenes)
    starts = (*args.against, PRETRAINED)
    runs = [
        Run(task, start, seed, args.work_dir / task.folder / f'{start}-seed{seed}')
        for seed in args.seeds
        for task in TASKS
        if args.tasks is None or task.folder in args.tasks
        for start in starts
    ]
    with (
        timer.stage('training tasks'),
        ThreadPoolExecutor(args.jobs) as pool,
        ProgressBar('models', len(runs), every_seconds=30) as bar,
    ):
        job = partial(
            train,
            scenes=scenes,
            backbone=backbone,
            labelled=args.labelled,
            numbers={task: count_images(task, scenes) for task in dict.fromkeys(run.task for run in runs)},
            threads=max(1, cores() // args.jobs),
        )
        for _ in pool.map(job, runs):
            bar.advance()
    shown = [run for run in runs if run.start == PRETRAINED and run.seed == args.seeds[0]]
    with timer.stage('testing and drawing'), ProgressBar('tests and pictures', len(shown)) as bar:
        pictures = []
        for run in shown:
            pictures.append(show(run, scenes, report))
            bar.advance()
        curves = {
            task.name: {
                start: [
                    read_scalars(find_scalars(run.work_dir))['loss']
                    for run in runs
                    if (run.task, run.start) == (task, start)
                ]
                for start in starts
            }
            for task in dict.fromkeys(run.task for run in runs)
        }
        draw_compared_losses(curves, report / 'losses.png')
    table = table_of(runs, args.seeds)
    facts = {
        'Command': command,
        'Data': f'{args.scenes:,} drawn scenes of {SIZE} px for each task; tasks see the labels of {args.labelled} of '
        'those to train on, and are scored on the validation split',
        'Pretraining': f'configs/{PRETRAINING}, {args.pretrain_epochs} epochs on the training scenes, without labels',
        'Seeds': ', '.join(map(str, args.seeds)),
        'Time': str(timer),
    }
    won = sum(table.header[column] == PRETRAINED for _, column in table.best)
    lead = f'{won} of {len(table.rows)} tasks are better with the backbone of CMID than with an untrained one.'
    page = write_report(
        report,
        'One pretrained backbone, four tasks',
        lead,
        facts | environment(),
        table,
        'All had the same config, seeds, data and iterations; only the weights that the backbone began with differ.',
        [Picture('losses.png', 'Losses of training', 'One line a run.'), *pictures],
    )
    print(f'\n{lead}\n')
    for row in (table.header, *table.rows):
        print('| ' + ' | '.join(row) + ' |')
    print(f'\nbackbone: {backbone}\nreport:   {page}\ntook:     {timer}')
    return page


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    try:
        run_all(args, shlex.join(['python', *sys.argv]))
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'demo_tasks: {error}')
    except KeyboardInterrupt:
        print('demo_tasks: stopped', file=sys.stderr)
        sys.exit(130)


if __name__ == '__main__':
    main()
