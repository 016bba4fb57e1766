"""What the hooks that watch a run cost: tools/benchmark/monitoring.py CONFIG [--batch 8] [--rounds 5] [--json].

One run on one batch of random pixels, in blocks of one logging interval, in turn with MonitorHook, HealthHook and
NonFiniteHook and without them, so that whatever else runs on the machine slows both; all other hooks, the log and
TensorBoard are there in both. The ratio is that of the median blocks, and the quartiles are those of the ratios of
neighbouring blocks: where they are far apart, the machine was too busy for this number of rounds. The time inside the
hooks' own calls, as a share of a step, varies less: on a CPU it is all that they cost. Configs of CMID only.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from inspect import isfunction

# OpenMMLab prints on import which parts are missing.
with contextlib.redirect_stdout(sys.stderr):
    import torch
    from mmengine.config import Config, DictAction
    from mmengine.hooks import Hook
    from mmengine.runner import Runner
    from random_batch import random_batch
    from result_stdout import stdout_for_the_result
    from torch.utils.data import DataLoader

    from cmid_mm.engine.environment import environment
    from cmid_mm.engine.hooks import HealthHook, MonitorHook, NonFiniteHook

WATCHING = (MonitorHook, HealthHook, NonFiniteHook)
# Those of the config that neither watch nor belong to a step are left out: nothing is saved or recorded.
KEPT = ('timer', 'logger', 'param_scheduler', 'monitor', 'health', 'non_finite')


class TakeTurns(Hook):
    """Takes the watching hooks out of the run and puts them back, a block each; times the blocks and these hooks."""

    priority = 'LOWEST'

    def __init__(self, block: int) -> None:
        self.block = block
        self.seconds: list[float] = []  # of the blocks in turn, with first
        self.inside: list[float] = []  # of these, in the calls of the hooks
        self.called = 0.0
        self.is_inside = False

    def before_train(self, runner: Runner) -> None:
        self.all = list(runner.hooks)
        for hook in self.all:
            # The runner calls some of their methods and torch others.
            for name, member in vars(type(hook)).items() if isinstance(hook, WATCHING) else ():
                if isfunction(member):
                    setattr(hook, name, self._timed(getattr(hook, name)))
        self.others = [hook for hook in self.all if not isinstance(hook, WATCHING)]
        self.since = time.perf_counter()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        if (batch_idx + 1) % self.block:
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds.append(now - self.since)
        self.inside.append(self.called)
        self.called = 0.0
        # The runner goes through the list that it has begun with.
        runner._hooks = self.others if len(self.seconds) % 2 else self.all
        self.since = now

    def _timed(self, call: Callable) -> Callable:
        def _call(*args, **kwargs):
            if self.is_inside:  # one of their methods calls another
                return call(*args, **kwargs)
            self.is_inside, begun = True, time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.is_inside = False
                self.called += time.perf_counter() - begun

        return _call


def measure(cfg: Config, rounds: int) -> dict:
    """Seconds a step with and without the hooks, and their ratio."""
    block = cfg.default_hooks.logger.interval
    batch = random_batch(cfg.train_dataloader.batch_size, cfg.size)
    cfg.default_hooks = {name: hook for name, hook in cfg.default_hooks.items() if name in KEPT} | dict(checkpoint=None)
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler = []
    turns = TakeTurns(block)
    with tempfile.TemporaryDirectory() as work_dir:
        cfg.work_dir = work_dir
        runner = Runner.from_cfg(cfg)
        steps = range(2 * (rounds + 1) * block)
        runner._train_dataloader = DataLoader(steps, batch_size=1, collate_fn=lambda _: batch)
        runner.register_hook(turns)
        runner.train()
    # The first round pays for allocations.
    seconds = [block_seconds / block for block_seconds in turns.seconds[2:]]
    watched, alone = seconds[::2], seconds[1::2]
    inside = statistics.median(turns.inside[2::2]) / block
    ratios = [a / b for a, b in zip(watched, alone, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return dict(
        device=environment()['Hardware'],
        batch=cfg.train_dataloader.batch_size,
        interval=block,
        with_hooks_s=statistics.median(watched),
        without_s=statistics.median(alone),
        ratio=statistics.median(watched) / statistics.median(alone),
        quartiles=[low, high],
        inside_s=inside,
        inside_share=inside / statistics.median(alone),
    )


def table(figures: dict) -> str:
    low, high = figures['quartiles']
    share = 100 * figures['inside_share']
    return '\n'.join(
        [
            f'{figures["device"]}; batch {figures["batch"]}, a log every {figures["interval"]} steps',
            f'step with the hooks   {figures["with_hooks_s"]:9.4f} s',
            f'step without          {figures["without_s"]:9.4f} s',
            f'with / without        {figures["ratio"]:9.4f}   (quartiles {low:.4f} to {high:.4f})',
            f'inside their calls    {figures["inside_s"]:9.4f} s   ({share:.2f} % of a step without)',
        ]
    )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a config of CMID, such as configs/cmid/cmid_r50_millionaid.py')
    parser.add_argument('--batch', type=int, help="images; default: the config's")
    parser.add_argument('--rounds', type=int, default=5, help='measured pairs of blocks, 2 or more')
    parser.add_argument('--json', action='store_true', help='print one object instead of the table')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings of the config')
    args = parser.parse_args()
    if args.rounds < 2 or (args.batch is not None and args.batch < 1):
        parser.error('--rounds must be 2 or more and --batch 1 or more')
    return args


def main() -> None:
    args = parse_args()
    with stdout_for_the_result() as out:
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options or {})
        cfg.log_level = 'WARNING'
        if args.batch:
            cfg.train_dataloader.batch_size = args.batch
        figures = measure(cfg, args.rounds)
        print(json.dumps(figures) if args.json else table(figures), file=out)


if __name__ == '__main__':
    main()
