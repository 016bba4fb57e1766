"""How far a task is, how long it will still take, and how long each stage took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class ProgressBar:
    """Show how far a task is and how long it will still take.

    On a terminal this is a bar of rich; in a log file or a pipe it is a line every ``every_seconds``.

    Args:
        what (str): Name of the task.
        total (int): Steps in all.
        done (int): Steps done before, in a run that goes on. Defaults to 0.
        every_seconds (float): Time between two lines where there is no terminal. Defaults to 10.
        console (Console, optional): Where to write. Defaults to standard output.

    Example:
        >>> with ProgressBar('reading', total=3) as bar:
        ...     for _ in range(3):
        ...         bar.advance()
    """

    def __init__(
        self, what: str, total: int, done: int = 0, every_seconds: float = 10.0, console: Console | None = None
    ) -> None:
        self.what = what
        self.total = total
        self.done = self.start = done
        self.every_seconds = every_seconds
        self.note = ''
        self.console = console or Console()
        self.started = self.last_line = time.monotonic()
        self.bar: Progress | None = None
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn('{task.description}', markup=False),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn('left'),
                TimeRemainingColumn(),
                TextColumn('{task.fields[note]}', markup=False),
                console=self.console,
            )
            self.task = self.bar.add_task(what, total=total, completed=done, note='')
            self.bar.start()

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Count ``steps`` as done; ``note`` (a loss, say) is shown beside the bar until the next one."""
        self.done += steps
        self.note = self.note if note is None else note
        if self.bar is not None:
            self.bar.update(self.task, advance=steps, note=self.note)
        elif time.monotonic() - self.last_line >= self.every_seconds:
            self.last_line = time.monotonic()
            seconds = self.last_line - self.started
            left = seconds / max(1, self.done - self.start) * (self.total - self.done)
            self._print(f'{self.done}/{self.total}, {clock(seconds)} passed, {clock(left)} left')

    def close(self) -> None:
        """Leave the terminal as it was; say how long it took. Closing twice does nothing."""
        if self.bar is not None:
            self.bar.stop()
        elif self.started is not None:
            self._print(f'{self.done}/{self.total} in {clock(time.monotonic() - self.started)}')
        self.bar = self.started = None

    def _print(self, text: str) -> None:
        note = f', {self.note}' if self.note else ''
        self.console.print(f'{self.what}: {text}{note}', markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> 'ProgressBar':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class StageClock:
    """Seconds that each stage of a program took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of the ``with`` statement."""
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started

    def __str__(self) -> str:
        stages = ', '.join(f'{name} {clock(seconds)}' for name, seconds in self.seconds.items())
        return f'{clock(sum(self.seconds.values()))} ({stages})'


def clock(seconds: float) -> str:
    """Write seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{rest:02d}' if hours else f'{minutes}:{rest:02d}'
