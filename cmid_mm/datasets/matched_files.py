"""Datasets whose samples are files of the same name in several folders, all of them checked at the start."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import ClassVar

from mmengine import fileio

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff')


class MatchedFiles:
    """Lists the samples of a dataset of mmsegmentation, in place of its ``load_data_list``.

    A sample is one file of the same name, suffix aside, below each folder of ``data_prefix``. Samples are sorted by
    name. ``ann_file`` may name those to use, one a line, with or without suffix.

    A class inherits from it first and from the dataset then, and says which folders it has.

    Raises:
        FileNotFoundError: If a folder or ``ann_file`` does not exist, or a sample has not all of its files.
        ValueError: If a folder is empty, two files of one folder have the same name, ``ann_file`` is empty or leads
            out of the folders.
    """

    # Folder of data_prefix -> what lies there, and the attribute with its suffixes; the first names the samples.
    roles: ClassVar[Mapping[str, tuple[str, str]]]

    def load_data_list(self) -> list[dict]:
        """List the samples, each with the path of its file in every folder."""
        files = {
            role: _files_by_name(folder, getattr(self, self.roles[role][1]), self.roles[role][0], self.backend_args)
            for role, folder in self.data_prefix.items()
            if folder is not None
        }
        names = self._listed_names() if self.ann_file else sorted(set().union(*files.values()))
        for role, found in files.items():
            missing = [name for name in names if name not in found]
            if missing:
                raise FileNotFoundError(
                    f'{len(missing)} of {len(names)} samples, the first of them {missing[0]!r}, have no file in '
                    f'{self.data_prefix[role]}, the folder of {self.roles[role][0]}; restore the files, or remove '
                    'those of the same name from the other folders'
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
