"""What a data tool has done, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """What was written and what was found complete.

    Attributes:
        out (Path): Folder of the data set.
        written (int): Parts (images, scenes, splits) written by this run.
        kept (int): Parts that were complete before.
        notes (Sequence[str]): What the user should know, a sentence each.
    """

    out: Path
    written: int
    kept: int = 0
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        if self.written:
            kept = f', {self.kept} were there' if self.kept else ''
            first = f'{self.out}: {self.written} written{kept}'
        else:
            first = f'{self.out} is complete ({self.kept}): nothing to do'
        return '\n'.join([first, *self.notes])
