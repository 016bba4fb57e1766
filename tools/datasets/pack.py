"""Folders of unlabelled images -> a pack: one LMDB that pretraining reads faster than many files.

Images are shrunk as far as no random crop loses detail and kept as JPEG; JPEG files that are small enough already are
kept byte for byte. Set data_root='OUT' in a config to read the pack. A run that was stopped goes on when the same
command is started again.
"""

import argparse
from functools import partial
from pathlib import Path

from cmid_mm.datasets.preparation import Outcome, PreparationError
from cmid_mm.datasets.preparation.command import add_workers, run_command
from cmid_mm.datasets.preparation.pack import pack_images, verify_pack
from cmid_mm.datasets.preparation.pack_form import PackForm


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('sources', nargs='*', metavar='SOURCE', help='folders of JPEG, PNG or TIFF images')
    parser.add_argument('out', type=Path, metavar='OUT', help='folder of the pack, such as data/millionaid.lmdb')
    parser.add_argument(
        '--list-file',
        action='append',
        metavar='FILE',
        help='text file with a path below SOURCE a line; for each SOURCE',
    )
    parser.add_argument('--crop-size', type=int, default=224, help='side of the views in pixels (default: %(default)s)')
    parser.add_argument(
        '--min-area', type=float, default=0.3, help="smallest share of an image's area in a crop (default: %(default)s)"
    )
    parser.add_argument('--quality', type=int, default=95, help='of JPEG (default: %(default)s)')
    parser.add_argument('--lossless', action='store_true', help='keep what is not copied as PNG instead of JPEG')
    parser.add_argument('--bands', type=int, nargs='+', metavar='BAND', help='one or three bands of the files, from 0')
    parser.add_argument(
        '--value-range', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='of 16-bit files, become 0 and 255'
    )
    parser.add_argument(
        '--max-unreadable', type=float, default=0.01, help='share of the images that may be so (default: %(default)s)'
    )
    add_workers(parser, '--jobs')
    parser.add_argument('--verify', action='store_true', help='read all of the finished pack OUT and say what is wrong')
    return parser.parse_args(arguments)


def pack(args: argparse.Namespace) -> Outcome:
    if args.verify:
        if args.sources:
            raise PreparationError(f'--verify reads one pack; give {args.out} alone')
        return verify_pack(args.out)
    if not args.sources:
        raise PreparationError(f'{args.out} alone is given; give the folders of the images, and then that of the pack')
    bands, value_range = (value and tuple(value) for value in (args.bands, args.value_range))
    form = PackForm(args.crop_size, args.min_area, args.quality, args.lossless, bands, value_range)
    return pack_images(args.sources, args.out, args.list_file, form, args.max_unreadable, args.workers)


def main(arguments: list[str] | None = None) -> None:
    run_command('pack', partial(pack, parse_args(arguments)))


if __name__ == '__main__':
    main()
