"""Convert another project's checkpoint to a backbone file: tools/convert_checkpoint.py SRC DST --from NAME."""

import argparse
import sys
from pathlib import Path

from cmid_mm.checkpoints import CheckpointError, convert_checkpoint, convert_training_state
from cmid_mm.checkpoints.key_rules import SOURCES
from cmid_mm.checkpoints.layouts import ROLES
from cmid_mm.checkpoints.writing import FORMATS


def parse_args() -> argparse.Namespace:
    names = '\n'.join(f'  {name:12} {source.title}' for name, source in SOURCES.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f'names for --from:\n{names}\n\ndocs/checkpoints.md says what is read of each, what is left out, and '
        'what images each expects. A backbone file of this package is written anew in the other format.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('src', help='the file as it was downloaded')
    parser.add_argument('dst', type=Path, help='file to write, ending in .pth or .safetensors; it must not exist')
    parser.add_argument(
        '--from', dest='source', choices=('auto', *SOURCES), default='auto', metavar='NAME', help='default: auto'
    )
    parser.add_argument('--to', choices=[suffix[1:] for suffix in FORMATS], help="format of a DST that doesn't say it")
    parser.add_argument('--role', choices=ROLES, default='student', help='the momentum teacher, where there is one')
    parser.add_argument('--training-state', action='store_true', help='official CMID, whole: to go on with pretraining')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow pickle, which can run any code')
    parser.add_argument('--image-size', type=int, help='pixels a side: resize the position embedding of a ViT')
    parser.add_argument('--window-size', type=int, help='cells a side: resize the position biases of a Swin')
    parser.add_argument(
        '--pcm-kernel', type=int, choices=(1, 3), default=3, help="of ViTAE's convolutions (default: 3)"
    )
    parser.add_argument('--keep-bgr-stem', action='store_true', help='SEN12MS: do not flip the first layer to RGB')
    parser.add_argument('--mean', type=float, nargs='+', help='of each channel, to be written down')
    parser.add_argument('--std', type=float, nargs='+', help='of each channel, to be written down')
    args = parser.parse_args()
    if args.to:
        if args.dst.suffix not in ('', f'.{args.to}'):
            parser.error(f'{args.dst} does not end in .{args.to}; leave out --to')
        args.dst = args.dst.with_suffix(f'.{args.to}')
    if args.training_state and args.source not in ('auto', 'cmid'):
        parser.error(f'--training-state is for official CMID, not --from {args.source}')
    return args


def main() -> None:
    args = parse_args()
    try:
        if args.training_state:
            done = convert_training_state(args.src, args.dst, args.trust_checkpoint)
        else:
            done = convert_checkpoint(
                args.src,
                args.dst,
                args.source,
                role=args.role,
                image_size=args.image_size,
                window_size=args.window_size,
                pcm_kernel=args.pcm_kernel,
                keep_bgr_stem=args.keep_bgr_stem,
                mean=args.mean,
                std=args.std,
                trusted=args.trust_checkpoint,
            )
    except (CheckpointError, OSError, ValueError) as error:
        sys.exit(f'convert_checkpoint: {error}')
    left_out = ', '.join(f'{count} {name}' for name, count in done.dropped.items())
    print(f'read {args.src} as {done.source}: {done.used} weights used, {done.renamed} of them renamed')
    print(f'left out by rule: {left_out or "nothing"}')
    print(f'wrote {done.out}: loads strictly into {done.target}')
    for fact in ('source_sha256', 'backbone', 'normalisation', 'channel_order', 'pixel_values'):
        if done.facts.get(fact) is not None:
            print(f'  {fact}: {done.facts[fact]}')
    if not args.training_state and done.facts.get('normalisation') is None:
        print('  normalisation: unknown; look it up where the file comes from and give --mean and --std')


if __name__ == '__main__':
    main()
