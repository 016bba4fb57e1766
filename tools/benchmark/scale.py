"""What several processes, a million file names and starting up cost: tools/benchmark/scale.py [--json].

processes: training steps in 1 and more processes, as tools/dist_train.sh runs them (gloo on CPUs, NCCL on GPUs), with
the same images and threads each. As many processes that know nothing of each other run too: cores and memory that
they share are no fault of ours. What is sent in a step is counted, by what sends it.
index: the index of many file names beside a list of their paths, in time and memory.
startup: imports and the first iteration of a run, beside importing torch and mmpretrain.

All that is compared takes turns, so that whatever else runs on the machine slows it alike; figures are medians.
--json prints one object: "environment", and a key for each section, whose keys the measure() of
scale_processes.py, scale_index.py and scale_startup.py describe.
"""

import argparse
import contextlib
import json
import signal
import sys

# OpenMMLab prints on import which parts are missing.
with contextlib.redirect_stdout(sys.stderr):
    import scale_index
    import scale_processes
    import scale_startup
    import torch
    from mmengine.config import Config, DictAction
    from result_stdout import stdout_for_the_result

    from cmid_mm.engine.environment import cores, environment

SECTIONS = ('processes', 'index', 'startup')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', default='configs/cmid/cmid_r18_demo.py', help='what to pretrain')
    parser.add_argument('--only', nargs='+', choices=SECTIONS, default=SECTIONS, help='sections; default: all')
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2], help='numbers of processes to compare')
    parser.add_argument('--batch', type=int, help="images a process; default: the config's")
    parser.add_argument('--threads', type=int, help='threads a process; default: the cores, divided')
    parser.add_argument('--device', choices=('cpu', 'cuda'), help='default: cuda if there are GPUs enough')
    parser.add_argument('--steps', type=int, default=4, help='training steps a turn')
    parser.add_argument('--names', type=int, default=1_000_000, help='file names to index')
    parser.add_argument('--rounds', type=int, default=3, help='turns')
    parser.add_argument('--json', action='store_true', help='print one object instead of tables')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='override settings, as a.b=value'
    )
    args = parser.parse_args()
    for name in ('batch', 'threads', 'steps', 'names', 'rounds'):
        if (value := getattr(args, name)) is not None and value < 1:
            parser.error(f'--{name} {value} measures nothing; give 1 or more')
    if min(args.processes) < 1:
        parser.error(f'--processes {min(args.processes)} runs nothing; give 1 or more')
    # Everything is compared with one process.
    args.processes = sorted({1, *args.processes})
    most, gpus = args.processes[-1], torch.cuda.device_count()
    if args.device == 'cuda' and gpus < most:
        parser.error(f'--device cuda needs {most} GPUs for {most} processes, and there are {gpus}')
    args.device = args.device or ('cuda' if gpus >= most else 'cpu')
    args.threads = args.threads or max(1, cores() // most)
    if set(args.only) & {'processes', 'startup'}:
        try:
            cfg = Config.fromfile(args.config)
        except (OSError, ValueError, SyntaxError) as error:
            parser.error(f'{args.config} cannot be read: {error}')
        if 'size' not in cfg or 'train_dataloader' not in cfg:
            parser.error(f'{args.config} is no pretraining config: it has no size of views or no train_dataloader')
        args.batch = args.batch or cfg.train_dataloader.batch_size
    if 'index' in args.only:
        try:
            scale_index.check_room(args.names)
        except ValueError as error:
            parser.error(str(error))
    return args


def measure(args: argparse.Namespace) -> dict:
    figures = dict(environment=environment())
    for section in (section for section in SECTIONS if section in args.only):
        print(f'measuring {section}', file=sys.stderr)
        if section == 'processes':
            work = scale_processes.Work(
                args.config, args.cfg_options, args.batch, args.threads, args.device == 'cuda', work_dir=''
            )
            figures[section] = scale_processes.measure(work, args.processes, args.rounds, args.steps)
        elif section == 'index':
            figures[section] = scale_index.measure(args.names, args.rounds)
        else:
            figures[section] = scale_startup.measure(args.config, args.cfg_options, args.rounds)
    return figures


def table(figures: dict) -> str:
    """All sections for a reader."""
    tables = dict(processes=_processes_table, index=_index_table, startup=_startup_table)
    texts = ['\n'.join(figures['environment'].values())]
    return '\n\n'.join(texts + [tables[name](values) for name, values in figures.items() if name in tables])


def _processes_table(figures: dict) -> str:
    lines = [
        'images a process: {images_per_process}, threads: {threads_per_process}, {backend}\n'.format(**figures),
        '| processes | images/s | independent ones | efficiency | to independent ones |',
        '|---|---|---|---|---|',
    ]
    for count, images in figures['images_per_s'].items():
        efficiency, fair = (figures[key].get(count, 1.0) for key in ('efficiency', 'efficiency_to_independent'))
        independent = figures['independent_images_per_s'][count]
        lines.append(f'| {count} | {images:.2f} | {independent:.2f} | {efficiency:.2f} | {fair:.2f} |')
    for count, traffic in figures['traffic'].items():
        written = traffic['written_bytes']
        lines += [
            f'\nA step of each of {count} processes hands over {traffic["bytes"]:,} bytes in '
            f'{traffic["collectives"]} collectives' + ('' if written is None else f' and writes {written:,} bytes'),
            f'({traffic["gradient_parameters"]:,} parameters take gradient).\n',
            '| sent by | collective | a step | bytes a step |',
            '|---|---|---|---|',
            *(
                f'| {row["cause"]} | {row["collective"]} | {row["calls"]} | {row["bytes"]:,} |'
                for row in traffic['kinds']
            ),
        ]
    return '\n'.join(lines)


INDEX_ROWS = dict(
    build_s='to build, s',
    build_peak_mb='to build, MB at the peak',
    open_s='to open, s',
    kept_mb='kept, private MB',
    file_mb='file, MB',
    worker_pickle_mb='sent to a spawned worker, MB',
    worker_mb='copied in a forked worker, MB',
    worker_read_s='a worker reads all paths, s',
)


def _index_table(figures: dict) -> str:
    lines = [
        f'{figures["names"]:,} file names in {figures["folders"]:,} folders\n',
        '| | index | list of paths | ratio |',
        '|---|---|---|---|',
    ]
    for key, name in INDEX_ROWS.items():
        index, plain, ratio = (figures[column].get(key) for column in ('index', 'list', 'ratio'))
        cells = ('' if value is None else f'{value:.4g}' for value in (index, plain, ratio))
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


STARTUP_ROWS = dict(
    torch_and_mmpretrain_s='import torch, mmpretrain',
    mmpretrain_parts_s="import torch, mmpretrain's models and datasets",
    cmid_mm_s='import cmid_mm',
    first_iteration_s='tools/train.py to its first iteration',
)


def _startup_table(figures: dict) -> str:
    base = figures['torch_and_mmpretrain_s']
    return '\n'.join(
        [
            '| start | s | ratio |',
            '|---|---|---|',
            *(f'| {name} | {figures[key]:.2f} | {figures[key] / base:.2f} |' for key, name in STARTUP_ROWS.items()),
            '\n| modules of | s | not needed by mmpretrain, s |',
            '|---|---|---|',
            *(f'| {row["package"]} | {row["seconds"]:.3f} | {row["ours_s"]:.3f} |' for row in figures['contributors']),
        ]
    )


def main() -> None:
    # Temporary files are removed and processes ended on the way out, also when asked to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('scale: stopped'))
    args = parse_args()
    with stdout_for_the_result() as out:
        try:
            figures = measure(args)
        except (RuntimeError, OSError) as error:
            sys.exit(f'scale: {error}')
        print(json.dumps(figures) if args.json else table(figures), file=out)


if __name__ == '__main__':
    main()
