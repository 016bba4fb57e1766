"""Images with masks, checked at the start: ISPRS tiles, and folders of any classes."""

from mmseg.datasets import BaseSegDataset, ISPRSDataset
from mmseg.registry import DATASETS

from .matched_files import SUFFIXES, MatchedFiles

_ROLES = dict(img_path=('the images', 'img_suffix'), seg_map_path=('the masks', 'seg_map_suffix'))


@DATASETS.register_module()
class SegmentationDataset(MatchedFiles, BaseSegDataset):
    """mmsegmentation's ``BaseSegDataset`` with its files checked at the start; classes come with ``metainfo``.

    Args:
        img_suffix, seg_map_suffix (str or Sequence[str]): Suffixes, in lower case, of the files of each folder. Each
            defaults to :data:`~cmid_mm.datasets.matched_files.SUFFIXES`.
        **kwargs: Those of ``BaseSegDataset``.

    Raises:
        FileNotFoundError, ValueError: As :class:`~cmid_mm.datasets.matched_files.MatchedFiles`.
    """

    roles = _ROLES

    def __init__(self, img_suffix=SUFFIXES, seg_map_suffix=SUFFIXES, **kwargs) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)


@DATASETS.register_module()
class ISPRSTiles(MatchedFiles, ISPRSDataset):
    """Tiles of ISPRS Potsdam or Vaihingen, as ``tools/datasets/prepare_isprs.py`` writes them.

    mmsegmentation's ``ISPRSDataset`` (six classes, 0 in a mask is ignored) with its files checked at the start.

    Raises:
        FileNotFoundError, ValueError: As :class:`~cmid_mm.datasets.matched_files.MatchedFiles`.
    """

    roles = _ROLES
