"""Gather a run into one HTML page that opens offline: tools/report.py WORK_DIR [--out FILE]."""

import argparse
import sys
from pathlib import Path

from cmid_mm.visualization.run_files import megabytes
from cmid_mm.visualization.run_report import MOST_BYTES, write_run_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('work_dir', type=Path, help='work folder of the run')
    parser.add_argument('--out', type=Path, help='page to write (default: WORK_DIR/report.html)')
    parser.add_argument(
        '--results',
        type=Path,
        nargs='+',
        default=[],
        metavar='DIR',
        help='work folders of fine-tunings and tests that went on from this run, to show their results too',
    )
    parser.add_argument(
        '--pictures-mb',
        type=float,
        default=MOST_BYTES / 1e6,
        help=f'megabytes of pictures in the page; the others are named (default: {MOST_BYTES / 1e6:g})',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    out = args.out or args.work_dir / 'report.html'
    try:
        write_run_report(args.work_dir, out, args.results, int(args.pictures_mb * 1e6))
    except (OSError, ValueError) as error:
        sys.exit(f'report: {error}')
    print(f'{out} ({megabytes(out.stat().st_size)})')


if __name__ == '__main__':
    main()
