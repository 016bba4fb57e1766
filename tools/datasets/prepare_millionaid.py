"""MillionAID's test images -> the folder and the list that pretraining reads."""

import argparse
from functools import partial

from cmid_mm.datasets.preparation import prepare_millionaid
from cmid_mm.datasets.preparation.command import add_allow_missing, make_parser, run_command


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(
        __doc__,
        page='https://captain-whu.github.io/DiRS/',
        citation='Yang Long et al., "On creating benchmark dataset for aerial image interpretation: Reviews,\n'
        'guidances, and Million-AID", IEEE JSTARS 14, 2021.',
        out='data/millionaid',
        form='test/*.jpg; images of folders are linked, those of archives unpacked',
    )
    parser.set_defaults(out='data/millionaid')
    add_allow_missing(parser, 'all of the 990,848 images')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    run_command('prepare_millionaid', partial(prepare_millionaid, **vars(parse_args(arguments))))


if __name__ == '__main__':
    main()
