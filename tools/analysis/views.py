"""Show what training sees of an image: tools/analysis/views.py CONFIG [IMAGE ...].

The image with the outlines of its views, their masks, and the cells that the local loss compares.
It needs no checkpoint. Without IMAGE, the samples are those that the run sees first, pixel for pixel.
"""

import argparse
from pathlib import Path

from mmengine.config import DictAction

from cmid_mm.apis import read_config
from cmid_mm.apis.inputs import find_images
from cmid_mm.visualization.command import draw_or_exit
from cmid_mm.visualization.views import draw_views, first_samples, num_matches_of


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of a pretraining, or the one in its work folder')
    parser.add_argument('images', nargs='*', help='files or folders (default: the data set of the config)')
    parser.add_argument('--samples', type=int, default=2, help='how many to show (default: 2)')
    parser.add_argument('--epoch', type=int, default=0, help='whose random numbers to draw, from 0 (default: 0)')
    parser.add_argument('--out', type=Path, help='picture to write (default: pictures/views.png of the work folder)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='settings to override, as a.b=value; lists as a="[1,2]"'
    )
    return parser.parse_args(arguments)


def draw(args: argparse.Namespace) -> Path:
    if args.samples < 1:
        raise ValueError(f'--samples {args.samples} shows nothing; give 1 or more')
    cfg = read_config(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    images = [source.path for source in find_images(args.images)] if args.images else []
    samples = first_samples(cfg, args.samples, args.epoch, images)
    work_dir = cfg.get('work_dir') or Path('work_dirs') / Path(args.config).stem
    out = args.out or Path(work_dir) / 'pictures' / 'views.png'
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_views(samples, out, num_matches_of(cfg))
    return out


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    draw_or_exit('views', lambda: draw(args))


if __name__ == '__main__':
    main()
