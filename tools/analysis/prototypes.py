"""Show the image patches that prototypes own: tools/analysis/prototypes.py CHECKPOINT IMAGE|FOLDER ...

A row for each of the prototypes of CMID's local head that the teacher uses most, with the cells that it assigns to it.
"""

import argparse
from pathlib import Path

from cmid_mm.checkpoints import load_pretraining
from cmid_mm.visualization.command import (
    add_size,
    draw_or_exit,
    maps_of,
    picture_parser,
    picture_path,
    read_named_images,
    size_of,
)
from cmid_mm.visualization.prototypes import draw_prototypes, own_cells


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = picture_parser(__doc__, 'prototypes.png')
    parser.add_argument('images', nargs='+', help='files or folders')
    parser.add_argument('--most', type=int, default=1000, help='of more images, so many (default: 1000)')
    parser.add_argument('--rows', type=int, default=12, help='prototypes to show (default: 12)')
    parser.add_argument('--columns', type=int, default=12, help='patches of each (default: 12)')
    add_size(parser)
    return parser.parse_args(arguments)


def draw(args: argparse.Namespace) -> Path:
    network = load_pretraining(args.checkpoint)
    out = picture_path(args.out, args.checkpoint, 'prototypes.png')
    pixels, _ = read_named_images(args.images, size_of(args, network), args.most)
    owners, lead = own_cells(network, pixels, lambda teacher, images: maps_of(teacher, images, args.device))
    num_prototypes = len(network.module.local_head.loss_module.center)
    draw_prototypes(pixels, owners, lead, num_prototypes, out, args.rows, args.columns)
    return out


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    draw_or_exit('prototypes', lambda: draw(args))


if __name__ == '__main__':
    main()
