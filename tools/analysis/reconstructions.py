"""Show what a CMID paints where images are masked: tools/analysis/reconstructions.py CHECKPOINT IMAGE|FOLDER ...

A row an image: itself, what the network saw, what it painted, that in the mask alone, the error, and both spectra.
"""

import argparse
from pathlib import Path

from cmid_mm.checkpoints import load_pretraining
from cmid_mm.visualization.command import (
    add_size,
    draw_or_exit,
    picture_parser,
    picture_path,
    read_named_images,
    size_of,
)
from cmid_mm.visualization.reconstructions import draw_reconstructions, reconstruct


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = picture_parser(__doc__, 'reconstructions.png')
    parser.add_argument('images', nargs='+', help='files or folders')
    parser.add_argument('--samples', type=int, default=6, help='of more images, so many (default: 6)')
    parser.add_argument('--seed', type=int, default=0, help='draws the masks (default: 0)')
    add_size(parser)
    return parser.parse_args(arguments)


def draw(args: argparse.Namespace) -> Path:
    network = load_pretraining(args.checkpoint)
    out = picture_path(args.out, args.checkpoint, 'reconstructions.png')
    pixels, _ = read_named_images(args.images, size_of(args, network), args.samples)
    seen, painted, mask = reconstruct(network, pixels, args.device, args.seed)
    draw_reconstructions(pixels, seen, painted, mask, out, details=True)
    return out


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    draw_or_exit('reconstructions', lambda: draw(args))


if __name__ == '__main__':
    main()
