"""Data workers do not outlive the process that reads from them."""

import subprocess
import sys

import psutil

LOADER = """
import os
import signal
from torch.utils.data import DataLoader
from cmid_mm.engine.data_workers import at_worker_start, end_with_parent

class Large:
    def __len__(self):
        return 100

    def __getitem__(self, index):
        return b'more than a pipe holds' * 100_000

loader = DataLoader(Large(), batch_size=None, num_workers=2)
at_worker_start(loader, end_with_parent)
batches = iter(loader)
next(batches)
print(*(worker.pid for worker in batches._workers), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_process_that_was_killed(repo):
    with subprocess.Popen([sys.executable, '-c', LOADER], cwd=repo, stdout=subprocess.PIPE, text=True) as process:
        line = next(line for line in process.stdout if line[0].isdigit())  # OpenMMLab prints on import
        workers = [psutil.Process(int(number)) for number in line.split()]
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
