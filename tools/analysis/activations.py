"""Show what a backbone sees: tools/analysis/activations.py CHECKPOINT IMAGE|FOLDER ...

A row an image: itself, the principal components of its cells as colours, their norms, and, of a Swin Transformer, which
tokens each stage attends to.
"""

import argparse
from pathlib import Path

from cmid_mm.checkpoints import load_backbone
from cmid_mm.visualization.activations import attention_of_stages, cell_norms, draw_activations, principal_colours
from cmid_mm.visualization.command import (
    add_role,
    add_size,
    draw_or_exit,
    maps_of,
    picture_parser,
    picture_path,
    read_named_images,
    size_of,
)
from cmid_mm.visualization.panels import plain_text

TIMES = 2


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = picture_parser(__doc__, 'activations.png')
    parser.add_argument('images', nargs='+', help='files or folders')
    parser.add_argument('--samples', type=int, default=6, help='of more images, so many (default: 6)')
    add_size(parser, TIMES)
    add_role(parser)
    return parser.parse_args(arguments)


def draw(args: argparse.Namespace) -> Path:
    network = load_backbone(args.checkpoint, args.role)
    out, size = picture_path(args.out, args.checkpoint, 'activations.png'), size_of(args, network, TIMES)
    pixels, names = read_named_images(args.images, size, args.samples)
    with attention_of_stages(network.module) as attention:
        maps = maps_of(network, pixels, args.device)
    titles = [plain_text(Path(name).name, 26) for name in names]
    draw_activations(pixels, principal_colours(maps), cell_norms(maps), attention, titles, out)
    return out


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    draw_or_exit('activations', lambda: draw(args))


if __name__ == '__main__':
    main()
