"""Speed and traffic of several processes; part of scale.py."""

import os
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from collectives import CollectiveCounter
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from random_batch import random_batch

from cmid_mm.engine.cpu_processes import start_cpu_processes

# DDP orders its buckets in its first two steps, and all first steps pay for allocations.
WARM_UP = 3


@dataclass(frozen=True)
class Work:
    """What every process does."""

    config: str
    options: dict
    batch: int
    threads: int
    cuda: bool
    work_dir: str

    def read(self) -> Config:
        cfg = Config.fromfile(self.config)
        cfg.merge_from_dict(self.options)
        return cfg


def measure(work: Work, counts: list[int], rounds: int, steps: int) -> dict:
    """Time groups of processes in turns, and count what they send.

    Args:
        work (Work): What each process does; ``work_dir`` is set here.
        counts (list[int]): Numbers of processes, in order; the first is 1.
        rounds (int): Turns of each group.
        steps (int): Training steps a turn.

    Returns:
        dict: By number of processes: ``images_per_s`` and ``independent_images_per_s`` of all of them; ``efficiency``,
        to as many times one process, and ``efficiency_to_independent``; and ``traffic``, of a process in a step:
        ``bytes`` handed to ``collectives``, ``written_bytes`` to sockets (None where the system does not tell or
        NCCL sends), ``gradient_parameters`` and ``kinds``, the rows of :class:`CollectiveCounter`. Besides,
        ``images_per_process``, ``threads_per_process`` and ``backend``.
    """
    with TemporaryDirectory(prefix='scale-') as folder, ExitStack() as stack:
        work = Work(**{**vars(work), 'work_dir': folder})
        alone = [stack.enter_context(_process(work, rank, 1, 0)) for rank in range(counts[-1])]
        groups = {}
        for count in counts[1:]:
            port = _free_port()
            groups[count] = [stack.enter_context(_process(work, rank, count, port)) for rank in range(count)]
        for pipes in (alone, *groups.values()):
            _all(pipes, 'steps', WARM_UP)
        seconds: dict[tuple[str, int], list[float]] = {}
        for _ in range(rounds):
            for count in counts:
                seconds.setdefault(('independent', count), []).append(_timed(alone[:count], steps))
                if count > 1:
                    seconds.setdefault(('together', count), []).append(_timed(groups[count], steps))
        traffic = {count: _traffic(pipes) for count, pipes in groups.items()}
        # All at once, because the end of a group may wait for each of its processes.
        for pipe in (pipe for pipes in (alone, *groups.values()) for pipe in pipes):
            pipe.send(None)
    images = {key: key[1] * work.batch * steps / statistics.median(values) for key, values in seconds.items()}
    independent = {count: images['independent', count] for count in counts}
    together = {count: images.get(('together', count), independent[count]) for count in counts}
    return dict(
        images_per_process=work.batch,
        threads_per_process=work.threads,
        backend='nccl' if work.cuda else 'gloo',
        images_per_s=together,
        independent_images_per_s=independent,
        efficiency={count: together[count] / (count * together[1]) for count in counts[1:]},
        efficiency_to_independent={count: together[count] / independent[count] for count in counts[1:]},
        traffic=traffic,
    )


def _traffic(pipes: list[Connection]) -> dict:
    """What a process of a group hands over and sends in a step."""
    answers = _all(pipes, 'count', 1)
    rows = answers[0]['rows']
    return dict(
        bytes=sum(row['bytes'] for row in rows),
        collectives=sum(row['calls'] for row in rows),
        written_bytes=answers[0]['written'],
        gradient_parameters=answers[0]['parameters'],
        kinds=rows,
    )


def _timed(pipes: list[Connection], steps: int) -> float:
    started = time.perf_counter()
    _all(pipes, 'steps', steps)
    return time.perf_counter() - started


def _all(pipes: list[Connection], command: str, steps: int) -> list:
    """Give a command to processes at once and wait for all answers."""
    try:
        for pipe in pipes:
            pipe.send((command, steps))
        return [pipe.recv() for pipe in pipes]
    except (EOFError, OSError):
        raise RuntimeError('a process of the group stopped; its message stands above') from None


@contextmanager
def _process(work: Work, rank: int, count: int, port: int) -> Iterator[Connection]:
    """One process of a group, to be commanded through a pipe; ended with the block."""
    context = get_context('spawn')
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(work, rank, count, port, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
        process.join(timeout=60)
    finally:
        ours.close()
        process.terminate()
        process.join()


def _work(work: Work, rank: int, count: int, port: int, pipe: Connection) -> None:
    """Do what the pipe says, until it says None or breaks."""
    _see_own_devices(work, rank, count)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )
    bench = _Bench(work, distributed=count > 1)
    try:
        while (message := pipe.recv()) is not None:
            command, steps = message
            pipe.send(getattr(bench, command)(steps))
    except (EOFError, BrokenPipeError):
        pass  # the measuring process has gone
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _see_own_devices(work: Work, rank: int, count: int) -> None:
    """Hide GPUs from a run on CPUs, and from an independent process all but one; those of a group choose by rank."""
    if not work.cuda:
        os.environ['CUDA_VISIBLE_DEVICES'] = ''
    elif count == 1:
        visible = os.environ.get('CUDA_VISIBLE_DEVICES')
        os.environ['CUDA_VISIBLE_DEVICES'] = visible.split(',')[rank] if visible else str(rank)


class _Bench:
    """The model of a config, wrapped and stepped as a run of tools/train.py does it."""

    def __init__(self, work: Work, distributed: bool) -> None:
        cfg = work.read()
        cfg.update(launcher='pytorch' if distributed else 'none', log_level='ERROR', resume=False, load_from=None)
        cfg.work_dir = str(Path(work.work_dir, str(os.getpid())))
        init_default_scope(cfg.get('default_scope', 'mmpretrain'))
        if distributed and not work.cuda:
            start_cpu_processes(cfg)
        runner = Runner.from_cfg(cfg)
        self.model = runner.model
        self.inner = self.model.module if is_model_wrapper(self.model) else self.model
        self.inner.init_weights()  # all processes draw from the same seed
        self.inner.set_max_steps(10**6)
        self.model.train()
        self.wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
        self.device = next(self.inner.parameters()).device
        torch.set_num_threads(work.threads)
        torch.manual_seed(int(os.environ['RANK']))
        self.batch = random_batch(work.batch, cfg.size, self.device)

    def steps(self, count: int) -> None:
        """Train, as the runner and ``TeacherHook`` do it."""
        for _ in range(count):
            self.model.train_step(self.batch, self.wrapper)
            self.inner.update_teachers()
        if self.device.type == 'cuda':
            torch.cuda.synchronize()

    def count(self, steps: int) -> dict:
        """Train and count what is sent a step."""
        before = _written()
        with CollectiveCounter() as counter:
            self.steps(steps)
        written = None if before is None or self.device.type == 'cuda' else (_written() - before) // steps
        rows = [dict(row, calls=row['calls'] // steps, bytes=row['bytes'] // steps) for row in counter.rows()]
        parameters = sum(p.numel() for p in self.inner.parameters() if p.requires_grad)
        return dict(rows=rows, written=written, parameters=parameters)


def _written() -> int | None:
    """Bytes that this process has written so far; gloo's sockets count. None where the system does not tell."""
    file = Path('/proc/self/io')
    if not file.is_file():
        return None
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith('wchar'))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
