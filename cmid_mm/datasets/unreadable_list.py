"""Lists of unreadable images: a line for each file, path, tab, reason."""

from collections.abc import Mapping

NAME = 'unreadable_images.txt'


def append_unreadable(path: str, found: Mapping[str, str]) -> None:
    """Add images and their reasons to the list at ``path``."""
    with open(path, 'a', encoding='utf-8', errors='surrogateescape') as file:
        for image, reason in found.items():
            file.write(f'{_escape(image)}\t{reason}\n')


def read_unreadable(path: str) -> dict[str, str]:
    """Images and reasons of the list at ``path``."""
    with open(path, encoding='utf-8', errors='surrogateescape', newline='\n') as file:
        rows = [line.rstrip('\n').split('\t', 1) for line in file]
    # A run that was killed may have left half a line.
    return {_unescape(row[0]): row[1] for row in rows if len(row) == 2}


def _escape(path: str) -> str:
    return path.replace('\\', '\\\\').replace('\n', '\\n').replace('\t', '\\t')


def _unescape(text: str) -> str:
    parts = text.split('\\\\')
    return '\\'.join(part.replace('\\n', '\n').replace('\\t', '\t') for part in parts)
