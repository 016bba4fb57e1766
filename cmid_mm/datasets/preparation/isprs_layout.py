"""What the archives of ISPRS Potsdam and Vaihingen hold, and which of their tiles train and which test."""

import re
from dataclasses import dataclass

from .sources import SourceFile


@dataclass(frozen=True)
class IsprsLayout:
    """One of the two data sets.

    Attributes:
        name (str): ``'potsdam'`` or ``'vaihingen'``.
        images (str): Pattern of an image's path, with ``{bands}`` where the band set is named.
        labels (str): Pattern of a label's path; its groups, as those of ``images``, name the tile.
        eroded (str): The same for labels without boundaries.
        splits (dict[str, tuple[str, ...]]): Names of the tiles of ``train`` and ``val``.
        prefix (str): What stands before the groups in a tile's name.
        official (dict[str, str]): How ``images``, ``labels`` and ``eroded`` are called in the archives.
    """

    name: str
    images: str
    labels: str
    eroded: str
    splits: dict[str, tuple[str, ...]]
    prefix: str
    official: dict[str, str]

    @property
    def tiles(self) -> dict[str, str]:
        """Name of each tile to its split."""
        return {tile: split for split, tiles in self.splits.items() for tile in tiles}

    def tile_of(self, file: SourceFile, pattern: str) -> str | None:
        """Name of the tile that a file shows, None if it matches not or is in no split."""
        match = re.search(f'(?:^|/){pattern}$', file.location, re.IGNORECASE)
        # Numbers may be written with a zero in front, as those of the height models are.
        tile = match and self.prefix + '_'.join(str(int(group)) for group in match.groups())
        return tile if tile in self.tiles else None


# The tiles with published labels train, those of the contest's test are for validation, as in mmsegmentation's
# converters (tools/dataset_converters/{potsdam,vaihingen}.py).
POTSDAM = IsprsLayout(
    name='potsdam',
    images=r'top_potsdam_(\d+)_(\d+)_{bands}\.tif',
    labels=r'top_potsdam_(\d+)_(\d+)_label\.tif',
    eroded=r'top_potsdam_(\d+)_(\d+)_label_noBoundary\.tif',
    splits={
        'train': (
            *('2_10', '2_11', '2_12', '3_10', '3_11', '3_12', '4_10', '4_11', '4_12', '5_10', '5_11', '5_12'),
            *('6_7', '6_8', '6_9', '6_10', '6_11', '6_12', '7_7', '7_8', '7_9', '7_10', '7_11', '7_12'),
        ),
        'val': (
            *('2_13', '2_14', '3_13', '3_14', '4_13', '4_14', '4_15'),
            *('5_13', '5_14', '5_15', '6_13', '6_14', '6_15', '7_13'),
        ),
    },
    prefix='',
    official={
        'images': '2_Ortho_RGB/top_potsdam_2_10_RGB.tif and the like, or 3_Ortho_IRRG or 4_Ortho_RGBIR by --bands',
        'labels': '5_Labels_all/top_potsdam_2_10_label.tif and the like',
        'eroded': '5_Labels_all_noBoundary/top_potsdam_2_10_label_noBoundary.tif and the like',
    },
)
_TRAIN_AREAS = (1, 3, 5, 7, 11, 13, 15, 17, 21, 23, 26, 28, 30, 32, 34, 37)
_TEST_AREAS = (2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24, 27, 29, 31, 33, 35, 38)
VAIHINGEN = IsprsLayout(
    name='vaihingen',
    # Images and whole labels have the same file name and differ by their folder.
    images=r'top/top_mosaic_09cm_area(\d+)\.tif',
    labels=r'(?:gts?[^/]*|[^/]*ground_truth[^/]*)/top_mosaic_09cm_area(\d+)\.tif',
    eroded=r'top_mosaic_09cm_area(\d+)_noBoundary\.tif',
    splits={
        'train': tuple(f'area{number}' for number in _TRAIN_AREAS),
        'val': tuple(f'area{number}' for number in _TEST_AREAS),
    },
    prefix='area',
    official={
        'images': 'top/top_mosaic_09cm_area1.tif and the like',
        'labels': 'top_mosaic_09cm_area1.tif and the like in gts_for_participants and, for the test tiles, in '
        'ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE.zip',
        'eroded': 'top_mosaic_09cm_area1_noBoundary.tif and the like in '
        'ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE.zip',
    },
)
LAYOUTS = {layout.name: layout for layout in (POTSDAM, VAIHINGEN)}
BANDS = ('RGB', 'IRRG', 'RGBIR')
