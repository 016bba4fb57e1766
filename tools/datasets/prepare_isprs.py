"""ISPRS Potsdam or Vaihingen -> tiles and masks for segmentation, or Potsdam's images alone for pretraining."""

import argparse
from functools import partial

from cmid_mm.datasets.preparation import prepare_isprs
from cmid_mm.datasets.preparation.command import add_allow_missing, make_parser, run_command
from cmid_mm.datasets.preparation.isprs_layout import BANDS, LAYOUTS


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(
        __doc__,
        page='https://www.isprs.org/education/benchmarks/UrbanSemLab/2d-sem-label-potsdam.aspx and\n'
        'https://www.isprs.org/education/benchmarks/UrbanSemLab/2d-sem-label-vaihingen.aspx',
        citation='Franz Rottensteiner et al., "The ISPRS benchmark on urban object classification and 3D building\n'
        'reconstruction", ISPRS Annals I-3, 2012. Vaihingen: provided by the German Society for Photogrammetry,\n'
        'Remote Sensing and Geoinformation (DGPF), Cramer 2010.',
        out='data/potsdam or data/vaihingen; with --unlabelled, unlabelled/ in it',
        form='; '.join(layout.official['images'] + ', ' + layout.official['labels'] for layout in LAYOUTS.values()),
        before=('name', LAYOUTS),
    )
    parser.add_argument('--size', type=int, default=512, help='side of a tile, pixels (default: %(default)s)')
    parser.add_argument('--stride', type=int, default=512, help='from tile to tile, pixels (default: %(default)s)')
    parser.add_argument(
        '--bands', choices=BANDS, default='RGB', help="which of Potsdam's images (default: %(default)s)"
    )
    parser.add_argument('--no-boundary', action='store_true', help='take the labels with eroded boundaries (ignored)')
    parser.add_argument(
        '--unlabelled', action='store_true', help='write images of all tiles to OUT/unlabelled, no masks'
    )
    parser.add_argument(
        '--unknown-colours-ignored',
        dest='unknown_ignored',
        action='store_true',
        help='let label pixels of a colour that is no class be ignored instead of stopping',
    )
    add_allow_missing(parser, 'tiles whose image or label is not there')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    run_command('prepare_isprs', partial(prepare_isprs, **vars(parse_args(arguments))))


if __name__ == '__main__':
    main()
