"""UC Merced Land Use -> class folders and a stratified split for classification."""

import argparse
from functools import partial

from cmid_mm.datasets.preparation import prepare_ucmerced
from cmid_mm.datasets.preparation.command import add_allow_missing, make_parser, run_command


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(
        __doc__,
        page='http://weegee.vision.ucmerced.edu/datasets/landuse.html',
        citation='Yi Yang and Shawn Newsam, "Bag-of-visual-words and spatial extensions for land-use classification",\n'
        'ACM SIGSPATIAL GIS 2010.',
        out='data/ucmerced',
        form='UCMerced_LandUse.zip, or Images/<class>/<class>NN.tif',
    )
    parser.set_defaults(out='data/ucmerced')
    parser.add_argument('--seed', type=int, default=0, help='of the split (default: %(default)s)')
    parser.add_argument('--val-fraction', type=float, default=0.2, help='share of validation (default: %(default)s)')
    parser.add_argument('--new-split', action='store_true', help='draw the split anew where there is one')
    add_allow_missing(parser, 'all 100 images of a class')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    run_command('prepare_ucmerced', partial(prepare_ucmerced, **vars(parse_args(arguments))))


if __name__ == '__main__':
    main()
