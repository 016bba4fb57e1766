"""Show which cells the features call the same place: tools/analysis/correspondence.py CHECKPOINT IMAGE [IMAGE2].

Of one image: between two random views of it. Of two dates of one place, registered: between the dates, and how much
each cell has changed.
"""

import argparse
from pathlib import Path

from cmid_mm.checkpoints import load_backbone
from cmid_mm.datasets.transforms import Crop
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
from cmid_mm.visualization.correspondence import (
    dissimilarity,
    draw_correspondence,
    ground_distance,
    mutual_matches,
    two_views,
)
from cmid_mm.visualization.panels import plain_text

TIMES = 2


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = picture_parser(__doc__, 'correspondence.png')
    parser.add_argument('image', help='image, or the first date')
    parser.add_argument('image2', nargs='?', help='the second date')
    parser.add_argument('--seed', type=int, default=0, help='draws the views of one image (default: 0)')
    add_size(parser, TIMES)
    add_role(parser)
    return parser.parse_args(arguments)


def draw(args: argparse.Namespace) -> Path:
    network = load_backbone(args.checkpoint, args.role)
    out, size = picture_path(args.out, args.checkpoint, 'correspondence.png'), size_of(args, network, TIMES)
    for path in (args.image, args.image2):
        if path is not None and Path(path).is_dir():
            raise ValueError(f'{path} is a folder; give one image, or two dates of one place')
    if args.image2 is None:
        images, crops = two_views(args.image, size, args.seed)
        names = ('view 1', 'view 2')
    else:
        paths = Path(args.image).resolve(), Path(args.image2).resolve()
        images, _ = read_named_images([str(path) for path in paths], size)
        crops = (Crop(size, size, 0, 0),) * 2
        # With the folder: dates often differ in nothing else.
        names = tuple(plain_text(f'{path.parent.name}/{path.name}', 40) for path in paths)
    first, second = maps_of(network, images, args.device)
    matches = mutual_matches(first, second)
    distance, side = ground_distance(matches, crops, first.shape[1])
    change = dissimilarity(first, second) if args.image2 else None
    draw_correspondence(images, matches, distance, side, first.shape[1], out, names, change)
    return out


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    draw_or_exit('correspondence', lambda: draw(args))


if __name__ == '__main__':
    main()
