"""Draw aerial-looking scenes with labels, masks, oriented boxes and known change to a folder."""

import argparse
import os
import sys
from pathlib import Path

from cmid_mm.datasets.scenes import SCENE_CLASSES, TASKS, write_scenes


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='folder to write to')
    parser.add_argument(
        '--num',
        type=int,
        default=2000,
        help=f'scenes a task, over all splits and the {len(SCENE_CLASSES)} classes',
    )
    parser.add_argument('--size', type=int, default=128, help='pixels a side')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--tasks', nargs='+', choices=TASKS, default=list(TASKS))
    parser.add_argument('--val-fraction', type=float, default=0.2, help='share of validation scenes')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, help='processes')
    parser.add_argument('--overwrite', action='store_true', help='remove the scenes of other settings in the folder')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    try:
        drawn = write_scenes(
            args.out,
            args.num,
            args.size,
            args.seed,
            args.tasks,
            args.workers,
            args.val_fraction,
            args.overwrite,
        )
    except (FileExistsError, ValueError) as error:
        sys.exit(f'draw_scenes: {error}')
    if drawn:
        print(f'drew {args.num} scenes of {args.size} px for {", ".join(args.tasks)} to {args.out}')
    else:
        print(f'{args.out} holds these {args.num} scenes already: nothing to draw')


if __name__ == '__main__':
    main()
