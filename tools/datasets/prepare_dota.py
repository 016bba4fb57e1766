"""DOTA-v1.0 -> tiles with oriented boxes, cut by mmrotate's own tool."""

import argparse
from functools import partial

from cmid_mm.datasets.preparation import prepare_dota
from cmid_mm.datasets.preparation.command import add_allow_missing, make_parser, run_command


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(
        __doc__,
        page='https://captain-whu.github.io/DOTA/dataset.html',
        citation='Gui-Song Xia et al., "DOTA: A large-scale dataset for object detection in aerial images", CVPR 2018.',
        out='data/dota, or data/dota_ms with --multi-scale',
        form='{train,val,test}/{images,labelTxt}',
    )
    parser.add_argument('--multi-scale', action='store_true', help='rates 0.5, 1 and 1.5 with an overlap of 500')
    add_allow_missing(parser, 'a split, or images of some labels')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    run_command('prepare_dota', partial(prepare_dota, **vars(parse_args(arguments))))


if __name__ == '__main__':
    main()
