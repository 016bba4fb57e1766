"""Lay the features of a folder out in a plane: tools/analysis/embedding.py CHECKPOINT FOLDER [--method umap].

Writes a picture, and beside it a page that shows the image under the pointer.
"""

import argparse
from pathlib import Path

from cmid_mm.checkpoints import load_backbone
from cmid_mm.visualization.command import (
    add_role,
    add_size,
    draw_or_exit,
    features_of,
    picture_parser,
    picture_path,
    read_folder,
    size_of,
)
from cmid_mm.visualization.embedding import METHODS, draw_embedding, embed
from cmid_mm.visualization.embedding_page import write_embedding_page


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = picture_parser(__doc__, 'embedding.png')
    parser.add_argument('folder', help='images; sub-folders are classes')
    parser.add_argument('--method', choices=tuple(METHODS), default='tsne', help='(default: tsne)')
    parser.add_argument('--most', type=int, default=2000, help='of more images, so many at random (default: 2000)')
    parser.add_argument('--megabytes', type=float, default=8, help='of all thumbnails of the page (default: 8)')
    parser.add_argument('--seed', type=int, default=0, help='draws the images and starts the method (default: 0)')
    add_size(parser)
    add_role(parser)
    return parser.parse_args(arguments)


def draw(args: argparse.Namespace) -> Path:
    network = load_backbone(args.checkpoint, args.role)
    out = picture_path(args.out, args.checkpoint, 'embedding.png')
    images = read_folder(args.folder, size_of(args, network), fewest=5, most=args.most, seed=args.seed)
    points = embed(features_of(network, images.pixels, args.device), args.method, args.seed)
    draw_embedding(points, images.labels, images.classes, out)
    title = f'{METHODS[args.method]} of {Path(args.folder).resolve().name} by {Path(args.checkpoint).name}'
    page, budget = out.with_suffix('.html'), round(args.megabytes * 1e6)
    write_embedding_page(points, images.pixels, images.names, images.labels, images.classes, page, title, budget)
    return out


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    draw_or_exit('embedding', lambda: draw(args))


if __name__ == '__main__':
    main()
