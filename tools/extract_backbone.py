"""Take the backbone out of a training checkpoint: tools/extract_backbone.py CHECKPOINT OUT.pth|OUT.safetensors."""

import argparse
import sys

from cmid_mm.checkpoints import CheckpointError, extract_backbone
from cmid_mm.checkpoints.extract import ROLES


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='epoch_*.pth or iter_*.pth that tools/train.py wrote')
    parser.add_argument('out', help='file to write, ending in .pth or .safetensors')
    parser.add_argument('--role', choices=tuple(ROLES), default='student', help='which of the two networks')
    parser.add_argument('--image-size', type=int, default=224, help='side of the image on which it is verified')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        out = extract_backbone(args.checkpoint, args.out, args.role, args.image_size)
    except (CheckpointError, FileNotFoundError, ValueError) as error:
        sys.exit(f'extract_backbone: {error}')
    print(f'wrote {out}: loads strictly and gives the same features as the {args.role}')


if __name__ == '__main__':
    main()
