"""Predict with a trained model: tools/predict.py CONFIG CHECKPOINT INPUT [INPUT2] --out-dir DIR.

INPUT is an image, a folder of images or a scene of any size; change detection takes the earlier and the later one.
"""

import argparse
import sys

from cmid_mm.apis import INFERENCERS, read_config, task_of
from cmid_mm.checkpoints import CheckpointError
from cmid_mm.datasets import BandError, UnreadableImageError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument('checkpoint', help='epoch_*.pth, iter_*.pth or best_*.pth that tools/train.py wrote')
    parser.add_argument('input', help='image or folder; for change the first date')
    parser.add_argument('input2', nargs='?', help='for change: the second date')
    parser.add_argument('--out-dir', required=True, help='folder of predictions and pictures')
    parser.add_argument('--task', choices=('auto', *INFERENCERS), default='auto', help='(default: told by the config)')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: a GPU where there is one)')
    parser.add_argument('--batch-size', type=int, default=1, help='images or windows at once (default: 1)')
    parser.add_argument(
        '--window-size', type=int, help='side of windows over large scenes (default: the size of training)'
    )
    parser.add_argument('--overlap', type=float, help='share of a window that the next one sees too (default: 0.25)')
    parser.add_argument('--bands', type=int, nargs='+', help='one or three bands to show as red, green, blue, from 0')
    parser.add_argument(
        '--value-range', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='what becomes 0 and 255 of 16-bit images'
    )
    return parser.parse_args()


def predict(args: argparse.Namespace) -> int:
    """Run the inferencer of the task; returns the number of inputs.

    Raises:
        ValueError: If the arguments do not fit the task.
    """
    cfg = read_config(args.config)
    task = task_of(cfg) if args.task == 'auto' else args.task
    if (task == 'change') != (args.input2 is not None):
        raise ValueError(
            f'{args.config} is of the task {task}: give {"two inputs, one a date" if task == "change" else "one input"}'
        )
    windows = dict(window_size=args.window_size, overlap=args.overlap)
    windows = {name: value for name, value in windows.items() if value is not None}
    if task == 'classification' and windows:
        raise ValueError(f'classification sees whole images: leave out {", ".join(windows)}')
    inferencer = INFERENCERS[task](
        cfg, args.checkpoint, args.device, bands=args.bands, value_range=args.value_range, **windows
    )
    inputs = args.input if args.input2 is None else (args.input, args.input2)
    return sum(1 for _ in inferencer.stream(inputs, args.out_dir, args.batch_size))


def main() -> None:
    args = parse_args()
    try:
        number = predict(args)
    except (BandError, CheckpointError, OSError, UnreadableImageError, ValueError) as error:
        sys.exit(f'predict: {error}')
    print(f'{number} predictions in {args.out_dir}')


if __name__ == '__main__':
    main()
