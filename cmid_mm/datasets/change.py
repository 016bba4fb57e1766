"""Pairs of images of two dates with a mask of what changed: CDD, LEVIR-CD and folders like theirs."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmseg.datasets import BaseCDDataset
from mmseg.registry import DATASETS

from .matched_files import SUFFIXES, MatchedFiles
from .transforms.pairs import check_pair_pipeline


@DATASETS.register_module()
class ChangeDataset(MatchedFiles, BaseCDDataset):
    """mmsegmentation's ``BaseCDDataset`` with everything checked at the start.

    A sample is three files of the same name, suffix aside, below three folders: CDD (Lebedev et al., ISPRS Archives
    2018) has ``{train,val,test}/{A,B,OUT}``; other layouts are a matter of ``data_prefix``. Samples are sorted by name.
    Without ``seg_map_path`` in ``data_prefix`` there are no masks.

    Args:
        data_root (str, optional): Folder in which the others stand. Defaults to None.
        data_prefix (Mapping[str, str], optional): Folders ``img_path`` (first date), ``img_path2`` (second date) and
            ``seg_map_path`` (masks). Defaults to ``A``, ``B`` and ``OUT``.
        ann_file (str): File with one name a line, with or without suffix, of the samples to use; empty for all of the
            folder. Defaults to ''.
        img_suffix, img_suffix2, seg_map_suffix (str or Sequence[str]): Suffixes, in lower case, of the files of each
            folder. Each defaults to :data:`SUFFIXES`.
        **kwargs: Those of ``BaseCDDataset``.

    Raises:
        FileNotFoundError: If a folder or ``ann_file`` does not exist, or a sample has not all of its files.
        ValueError: If a folder is empty, two files of one folder have the same name, ``ann_file`` is empty or leads
            out of the folders, or the pipeline holds a transform that cannot take a pair.
    """

    roles = dict(
        img_path=('the first dates', 'img_suffix'),
        img_path2=('the second dates', 'img_suffix2'),
        seg_map_path=('the masks', 'seg_map_suffix'),
    )
    METAINFO = dict(classes=('unchanged', 'changed'), palette=[[0, 0, 0], [255, 255, 255]])

    def __init__(
        self,
        data_root: str | None = None,
        data_prefix: Mapping[str, str] | None = None,
        ann_file: str = '',
        img_suffix: str | Sequence[str] = SUFFIXES,
        img_suffix2: str | Sequence[str] = SUFFIXES,
        seg_map_suffix: str | Sequence[str] = SUFFIXES,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            ann_file=ann_file,
            img_suffix=img_suffix,
            img_suffix2=img_suffix2,
            seg_map_suffix=seg_map_suffix,
            data_root=data_root,
            data_prefix=dict(data_prefix or dict(img_path='A', img_path2='B', seg_map_path='OUT')),
            **kwargs,
        )
        check_pair_pipeline(self.pipeline)
