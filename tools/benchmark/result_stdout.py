"""Stdout for a result alone, so that ``--json`` can be piped: what libraries and workers print goes to stderr."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def stdout_for_the_result() -> Iterator[TextIO]:
    """Lend stdout, down to the file descriptor that child processes inherit, to the result alone."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), 'w') as out:
        os.dup2(2, 1)
        try:
            yield out
        finally:
            sys.stdout.flush()
            out.flush()
            os.dup2(out.fileno(), 1)
