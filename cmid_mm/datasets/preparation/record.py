"""What a folder of tiles was made from, and how; kept beside them, so that a run knows what to complete."""

import json
from collections.abc import Iterable
from pathlib import Path

from .errors import PreparationError
from .writing import write_text

NAME = 'prepared.json'


class Record:
    """The file ``prepared.json`` of a folder, or another of its form.

    Args:
        folder: In which it lies, or will.
        settings: That decide how every file of the folder comes out.
        written: Folders that the tool writes to.
        name: Of the file.

    Attributes:
        parts (dict[str, dict]): Facts about each picture that was cut, by its name.

    Raises:
        PreparationError: If the folder was made with other settings, or not by the tool, or the file is damaged.
    """

    def __init__(self, folder: Path, settings: dict, written: Iterable[Path], name: str = NAME) -> None:
        self.path = folder / name
        self.settings = settings
        self.parts: dict[str, dict] = {}
        if not self.path.exists():
            foreign = [path for path in written if path.is_dir() and any(path.iterdir())]
            if foreign:
                raise PreparationError(
                    f'{foreign[0]} holds files that this tool has not written (there is no {self.path}); move them '
                    'away, or write to another folder'
                )
            return
        try:
            found = json.loads(self.path.read_text(encoding='utf-8'))
            known, self.parts = dict(found['settings']), dict(found['parts'])
        except (ValueError, KeyError, TypeError) as error:
            raise PreparationError(
                f'{self.path} is damaged ({type(error).__name__}: {error}); remove {folder}, or write to another folder'
            ) from error
        for key, value in settings.items():
            if known.get(key) != value:
                raise PreparationError(
                    f'{self.path} says {key}={known.get(key)!r} where {value!r} is asked for; remove '
                    f'{folder}, or write to another folder'
                )

    def check_same(self, name: str, facts: dict) -> None:
        """Refuse a picture that was cut from other files than now.

        Raises:
            PreparationError: If so.
        """
        known = self.parts.get(name, {})
        for key, value in facts.items():
            if key in known and known[key] != value:
                raise PreparationError(
                    f'{self.path} says that {name} was made from {key}={known[key]!r}, and now it is {value!r}; remove '
                    f'{self.path.parent}, or write to another folder'
                )

    def save(self) -> None:
        """Write the file."""
        write_text(self.path, json.dumps({'settings': self.settings, 'parts': self.parts}, indent=1) + '\n')
