"""Memory of this process, as Linux tells it."""

from pathlib import Path


def memory_mb(key: str, file: str = 'status') -> float:
    """A figure of ``/proc/self/<file>`` in MB (2^20 bytes): ``VmRSS``, or ``Private_Dirty`` of ``smaps_rollup``."""
    lines = Path('/proc/self', file).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f'{key}:')) / 2**10


def forget_peak() -> None:
    """Let the peak of resident memory, ``VmHWM``, begin anew."""
    Path('/proc/self/clear_refs').write_text('5')
