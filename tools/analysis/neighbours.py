"""Show which images the features call most similar: tools/analysis/neighbours.py CHECKPOINT FOLDER [--query IMAGE ...].

By the pooled features, or, with --cell ROW COLUMN, by one cell of the query against all cells of the others.
"""

import argparse
from pathlib import Path

import numpy as np

from cmid_mm.checkpoints import load_backbone
from cmid_mm.visualization.command import (
    add_role,
    add_size,
    draw_or_exit,
    features_of,
    maps_of,
    picture_parser,
    picture_path,
    read_folder,
    read_named_images,
    size_of,
)
from cmid_mm.visualization.neighbours import (
    cell_similarity,
    draw_cell_neighbours,
    draw_neighbours,
    nearest,
    spread_queries,
)

NAMES = ('neighbours.png', 'neighbours_by-cell.png')


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = picture_parser(__doc__, ' or '.join(NAMES))
    parser.add_argument('folder', help='images to search; sub-folders are classes')
    parser.add_argument('--query', nargs='+', help='images to search for (default: some of the folder)')
    parser.add_argument('--queries', type=int, default=6, help='without --query, so many (default: 6)')
    parser.add_argument('--cell', type=int, nargs=2, metavar=('ROW', 'COLUMN'), help='compare this cell, from 0 0')
    parser.add_argument('--count', type=int, default=6, help='neighbours of each (default: 6)')
    parser.add_argument('--most', type=int, default=2000, help='of more images, so many at random (default: 2000)')
    parser.add_argument('--seed', type=int, default=0, help='draws images and queries (default: 0)')
    add_size(parser)
    add_role(parser)
    return parser.parse_args(arguments)


def draw(args: argparse.Namespace) -> Path:
    network = load_backbone(args.checkpoint, args.role)
    size, out = size_of(args, network), picture_path(args.out, args.checkpoint, NAMES[args.cell is not None])
    images = read_folder(args.folder, size, args.count + 1, args.most, args.seed)
    pixels, labels = images.pixels, images.labels
    if args.query:
        asked, _ = read_named_images(args.query, size)
        queries = list(range(len(pixels), len(pixels) + len(asked)))
        pixels = np.concatenate([pixels, asked])
        labels = None if labels is None else np.concatenate([labels, np.full(len(asked), -1)])
    else:
        queries = spread_queries(labels, len(pixels), args.queries, args.seed)
    if args.cell is None:
        found = nearest(features_of(network, pixels, args.device), queries, args.count)
        draw_neighbours(pixels, queries, found, out, labels, images.classes)
    else:
        maps = maps_of(network, pixels, args.device)
        similarities = [cell_similarity(maps, query, args.cell) for query in queries]
        draw_cell_neighbours(pixels, queries, similarities, args.cell, out, args.count)
    return out


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    draw_or_exit('neighbours', lambda: draw(args))


if __name__ == '__main__':
    main()
