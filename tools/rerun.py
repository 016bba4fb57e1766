"""Start a run again from its record, and compare the losses of its first iterations: tools/rerun.py WORK_DIR."""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from cmid_mm.engine.rerun import LOG, config_of, data_now, recorded_run, train_again
from cmid_mm.engine.run_comparison import Difference, differences, first_difference
from cmid_mm.engine.run_record import FIRST_LOSSES, find_records, read_losses, read_record

WIDTH = 44  # characters of a value that are shown


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog='The exit code is 0 if the losses are equal, 1 if not, 2 if they were not compared.'
    )
    parser.add_argument('work_dir', type=Path, help='work folder of the run, or the folder of one start in it')
    parser.add_argument('--losses', type=int, default=100, help='iterations to compare (default: 100)')
    parser.add_argument('--out', type=Path, help='new folder of the rerun (default: WORK_DIR/rerun-TIME)')
    parser.add_argument(
        '--tolerance', type=float, default=0.0, help='relative difference that counts as equal (default: 0, every bit)'
    )
    parser.add_argument(
        '--allow-other-data', action='store_true', help='run even if the training data are not those of the record'
    )
    args = parser.parse_args()
    if args.losses < 1:
        parser.error(f'--losses is {args.losses}; it must be 1 or more')
    if args.tolerance < 0:
        parser.error(f'--tolerance is {args.tolerance}; it must be 0 or more')
    return args


def main() -> None:
    args = parse_args()
    try:
        equal = rerun(args)
    except (OSError, ValueError, RuntimeError) as error:
        print(f'rerun: {error}', file=sys.stderr)
        sys.exit(2)
    sys.exit(0 if equal else 1)


def rerun(args: argparse.Namespace) -> bool:
    """Run again and compare.

    Returns:
        bool: Whether the losses are equal.
    """
    record, before, folder = recorded_run(args.work_dir)
    out = (args.out or args.work_dir / f'rerun-{datetime.now():%Y%m%d_%H%M%S}').resolve()
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f'--out {out} is not empty; name a new folder')
    steps = min(args.losses, max(before))
    # Relative paths of the config are seen from where the run was started.
    if os.path.isdir(record['folder']):
        os.chdir(record['folder'])
    cfg = config_of(record, out, steps)
    check_data(record['data'], data_now(cfg), args.allow_other_data)
    print(f'{folder}: {steps} iterations again in {out}, log in {LOG}', flush=True)
    code = train_again(record, cfg, out, Path(__file__).resolve().with_name('train.py'))
    started = find_records(out)
    if started:
        print_differences(differences(record, read_record(started[-1])))
    if code != 0 or not started:
        raise RuntimeError(f'the run ended with exit code {code}; {out / LOG} says why')
    after = read_losses(started[-1].parent / FIRST_LOSSES)
    compared = sorted(step for step in set(before) & set(after) if step <= steps)
    found = first_difference({step: before[step] for step in compared}, after, args.tolerance)
    if found is None:
        within = f' within {args.tolerance:g}' if args.tolerance else ', bit for bit'
        print(f'equal: all losses of {len(compared)} iterations agree{within}')
    else:
        print(
            f'not equal: iteration {found.step} of {len(compared)} is the first that differs, most of all in '
            f'{found.name}, which was {found.before!r} and is {found.after!r} ({found.amount:+.3g})'
        )
    return found is None


def check_data(then: dict, now: dict, allowed: bool) -> None:
    """Refuse other training data.

    Raises:
        ValueError: If they are others, and that is not allowed.
    """
    if then['fingerprint'] is None:
        print(f'the data are not checked: {then["dataset"]} has no fingerprint')
    elif now != then and not allowed:
        raise ValueError(
            f'the training data are not those of the run, which had {then["samples"]} samples of fingerprint '
            f'{then["fingerprint"]}; now there are {now["samples"]} of {now["fingerprint"]}: restore the files that '
            'were added, removed, renamed or replaced, or compare all the same with --allow-other-data'
        )


def print_differences(found: list[Difference]) -> None:
    """Print what differs in the environment, a line each."""
    if not found:
        print('environment: the same')
        return
    rows = [('environment', 'then', 'now')]
    for row in found:
        rows.append(tuple(_short(text) for text in (row.name, row.before or '-', row.after or '-')))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, before, after in rows:
        print(f'{name:<{widths[0]}}  {before:<{widths[1]}}  {after}')


def _short(text: str) -> str:
    return text if len(text) <= WIDTH else f'{text[: WIDTH - 1]}…'


if __name__ == '__main__':
    main()
