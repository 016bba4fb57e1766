"""Draw a run over others and over reference curves: tools/analysis/compare_run.py WORK_DIR [RUN ...] [--out PICTURE].

A run is a work folder of tools/train.py, whole or still going, or a table of docs/curves. What is drawn are the scalars
of the first run that at least one other has too, a panel each (--scalars chooses others); the last values that two runs
have at one step are printed. Losses can be compared between runs of one method, one batch and one kind of images.

    tools/analysis/compare_run.py work_dirs/cmid_r18_ucmerced docs/curves/cmid_r18_ucmerced_6e.csv

With --write, the first run is written as such a table instead.
"""

import argparse
from pathlib import Path

import numpy as np

from cmid_mm.visualization.command import draw_or_exit
from cmid_mm.visualization.loss_curves import Curve, draw_compared_losses, find_scalars, read_scalars
from cmid_mm.visualization.reference_curves import read_curves, write_curves

Run = dict[str, Curve]


def read_run(path: Path) -> Run:
    """Read a work folder or a table of curves."""
    if path.suffix == '.csv':
        return read_curves(path)
    return read_scalars(find_scalars(path), everything=True)


def shared_scalars(runs: dict[str, Run]) -> list[str]:
    """Scalars of the first run that another one has, in the order of the first."""
    first, *others = runs.values()
    return [name for name in first if any(name in other for other in others)]


def last_common(first: Curve, other: Curve) -> str | None:
    """Both values at the last step that two curves share, as text; None without such a step."""
    steps = np.intersect1d(first[0], other[0])
    if not len(steps):
        return None
    ours, theirs = (values[places == steps[-1]][-1] for places, values in (first, other))
    return f'{ours:.4g} against {theirs:.4g} at step {steps[-1]}'


def compare(runs: dict[str, Run], scalars: list[str] | None, out: Path) -> Path:
    """Draw the scalars and print where the runs stand.

    Raises:
        ValueError: A scalar is in no run, or no two runs share one.
    """
    known = set().union(*runs.values())
    unknown = [name for name in scalars or () if name not in known]
    if unknown:
        raise ValueError(f'--scalars {unknown[0]}: no run has it; they have {", ".join(sorted(known))}')
    scalars = scalars or shared_scalars(runs)
    if not scalars:
        raise ValueError('the first run shares no scalar with another; name some with --scalars')
    draw_compared_losses(
        {name: {run: [curves[name]] for run, curves in runs.items() if name in curves} for name in scalars}, out
    )
    (own, first), *others = runs.items()
    for name in scalars:
        for other, curves in others:
            text = last_common(first[name], curves[name]) if name in first and name in curves else None
            if text:
                print(f'{name}: {text} ({own} against {other})')
    return out


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+', type=Path, help='work folders, or tables such as those of docs/curves')
    parser.add_argument('--scalars', nargs='+', help='what to draw (default: what the first run shares with another)')
    parser.add_argument('--out', type=Path, help='picture to write (default: compared.png in the first work folder)')
    parser.add_argument('--write', type=Path, metavar='TABLE', help='write the first run as a table, and end')
    return parser.parse_args()


def make(args: argparse.Namespace) -> Path:
    """Write the picture or the table, and say where it is."""
    runs = {str(path): read_run(path) for path in args.runs}
    if args.write is None:
        folder = args.runs[0] if args.runs[0].is_dir() else Path()
        return compare(runs, args.scalars, args.out or folder / 'compared.png')
    first = runs[str(args.runs[0])]
    write_curves({name: first[name] for name in args.scalars or first if name in first}, args.write)
    return args.write


def main() -> None:
    args = parse_args()
    draw_or_exit('compare_run', lambda: make(args))


if __name__ == '__main__':
    main()
