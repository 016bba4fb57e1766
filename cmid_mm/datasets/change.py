"""Pairs of images of two dates with a mask of what changed: CDD, LEVIR-CD and folders like theirs."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from mmengine import fileio
from mmseg.datasets import BaseCDDataset
from mmseg.registry import DATASETS

from .transforms.pairs import check_pair_pipeline

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff')
_ROLES = dict(img_path='first dates', img_path2='second dates', seg_map_path='masks')


@DATASETS.register_module()
class ChangeDataset(BaseCDDataset):
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

    def load_data_list(self) -> list[dict]:
        """List the samples: ``img_path``, ``img_path2`` and, where there are masks, ``seg_map_path``."""
        suffixes = dict(img_path=self.img_suffix, img_path2=self.img_suffix2, seg_map_path=self.seg_map_suffix)
        files = {
            role: _files_by_name(folder, suffixes[role], f'the {_ROLES[role]}', self.backend_args)
            for role, folder in self.data_prefix.items()
        }
        names = self._listed_names() if self.ann_file else sorted(set().union(*files.values()))
        for role, found in files.items():
            missing = [name for name in names if name not in found]
            if missing:
                raise FileNotFoundError(
                    f'{len(missing)} of {len(names)} samples, the first of them {missing[0]!r}, have no file in '
                    f'{self.data_prefix[role]}, the folder of the {_ROLES[role]}; restore the files, or remove those '
                    'of the same name from the other folders'
                )
        common = dict(label_map=self.label_map, reduce_zero_label=self.reduce_zero_label)
        return [{**{role: files[role][name] for role in files}, **common, 'seg_fields': []} for name in names]

    def _listed_names(self) -> list[str]:
        """Names in ``ann_file``, without suffix, sorted and each once."""
        if not fileio.isfile(self.ann_file, backend_args=self.backend_args):
            raise FileNotFoundError(f'there is no list of samples {self.ann_file}; correct ann_file or leave it out')
        names = set()
        text = fileio.get_text(self.ann_file, backend_args=self.backend_args)
        for line in filter(None, map(str.strip, text.splitlines())):
            # Under either system's rules, so that a list means the same everywhere.
            if any(path(line).is_absolute() or '..' in path(line).parts for path in (PurePosixPath, PureWindowsPath)):
                raise ValueError(f'{self.ann_file}: {line!r} leads out of the folders of the dataset; list plain names')
            names.add(_without_suffix(line, self.img_suffix) or line)
        if not names:
            raise ValueError(f'{self.ann_file} names no sample; list one name a line, or leave ann_file out')
        return sorted(names)


def _without_suffix(path: str, suffixes: str | Sequence[str]) -> str | None:
    """``path`` without that of ``suffixes`` in which it ends; None if it ends in none."""
    suffixes = (suffixes,) if isinstance(suffixes, str) else suffixes
    return next((path[: -len(suffix)] for suffix in suffixes if path.lower().endswith(suffix)), None)


def _files_by_name(folder: str, suffixes: str | Sequence[str], what: str, backend_args: dict | None) -> dict[str, str]:
    """Files below ``folder`` by their path in it without suffix."""
    if not fileio.isdir(folder, backend_args=backend_args):
        raise FileNotFoundError(f'there is no folder {folder} of {what}; correct data_root or data_prefix')
    found: dict[str, str] = {}
    for path in sorted(fileio.list_dir_or_file(folder, list_dir=False, recursive=True, backend_args=backend_args)):
        name, full = _without_suffix(path, suffixes), fileio.join_path(folder, path, backend_args=backend_args)
        if name is None:
            continue
        if name in found:
            raise ValueError(f'{found[name]} and {full} have the same name; keep one of them among {what}')
        found[name] = full
    if not found:
        raise ValueError(
            f'the folder {folder} of {what} is empty: no file in it ends in {suffixes}; fill it, or correct '
            'data_prefix or the suffixes'
        )
    return found
