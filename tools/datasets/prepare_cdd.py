"""CDD, or pairs laid out like LEVIR-CD -> pairs and masks of 0 and 1 for change detection."""

import argparse
from functools import partial

from cmid_mm.datasets.preparation import prepare_change_pairs
from cmid_mm.datasets.preparation.command import add_allow_missing, make_parser, run_command


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(
        __doc__,
        page='https://drive.google.com/file/d/1GX656JqqOyBi_Ef0w65kDGVto-nHrNs9 (a RAR archive: unpack it first)',
        citation='M. A. Lebedev et al., "Change detection in remote sensing images using conditional adversarial\n'
        'networks", ISPRS Archives XLII-2, 2018.',
        out='data/cdd',
        form='ChangeDetectionDataset/Real/subset/{train,val,test}/{A,B,OUT}, or {train,val,test}/{A,B,label}',
    )
    parser.set_defaults(out='data/cdd')
    add_allow_missing(parser, 'some of the splits')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    run_command('prepare_cdd', partial(prepare_change_pairs, **vars(parse_args(arguments))))


if __name__ == '__main__':
    main()
