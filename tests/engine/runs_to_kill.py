"""Start training runs and kill them, for test_killed_runs.py: runs_to_kill.py CONFIG, then a moment a line.

A run is forked after everything is imported and built, up to where it looks for a checkpoint, so that killing fifty of
them takes no fifty imports. A moment is two numbers: how many checkpoints this start must have begun to write, and
seconds after that. The answer is the exit code.
"""

import os
import signal
import sys
import time
import traceback
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

import cmid_mm  # noqa: F401  registers every component


def main(config: str) -> None:
    torch.set_num_threads(1)  # others would not be there after a fork
    runner = Runner.from_cfg(Config.fromfile(config))
    for line in sys.stdin:
        saves, seconds = line.split()
        process = os.fork()
        if process == 0:
            train(runner)
        print(kill(process, Path(runner.work_dir), int(saves), float(seconds)), flush=True)


def train(runner: Runner) -> None:
    """In the child: train, and end without going back to the loop of the parent."""
    output = os.open(f'{runner.work_dir}.txt', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        runner.train()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def kill(process: int, folder: Path, saves: int, seconds: float) -> int:
    """Kill a child so many seconds after it has begun to write so many checkpoints; return its exit code."""
    begun, deadline = set(), None
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        begun.update(path.name for path in folder.glob(f'.epoch_*.{process}.unfinished'))
        if deadline is None and len(begun) == saves:
            deadline = time.monotonic() + seconds
        if deadline is not None and time.monotonic() >= deadline:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.0005)


if __name__ == '__main__':
    main(sys.argv[1])
