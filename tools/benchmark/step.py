"""What a pretraining step costs beside its backbones alone: tools/benchmark/step.py CONFIG [--batch 8] [--json].

The floor is the step's own backbones on the same batch, in the same precision and memory format: two passes of the
student with gradient, two of the teacher without. Floor and whole step take turns, so that whatever else runs on the
machine slows both; the ratio is that of the medians. The shares of the parts come from steps of their own, because
their clock waits for the device at each border. Peak memory is what the model and its step take at the highest: on CPUs
as the process grows, without what Python and the libraries take; the floor has no heads and no optimizer. With
--data-root, steps are also fed by the config's loader from that folder or pack, in turn with steps on one batch.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import wraps

# OpenMMLab prints on import which parts are missing.
with contextlib.redirect_stdout(sys.stderr):
    import numpy as np
    import torch
    from mmengine.config import Config, DictAction
    from mmengine.logging import MMLogger
    from mmengine.optim import OptimWrapper, build_optim_wrapper
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner
    from mmpretrain.registry import MODELS, TRANSFORMS
    from mmpretrain.structures import DataSample
    from process_memory import forget_peak, memory_mb
    from random_batch import random_batch
    from result_stdout import stdout_for_the_result
    from torch import Tensor, nn

    from cmid_mm.engine.environment import environment
    from cmid_mm.models.heads import local_head
    from cmid_mm.models.utils import MaskedCells

PARTS = ('student', 'teacher', 'heads', 'losses', 'matching', 'optimizer', 'averaging', 'other')
TYPES = dict(bf16=torch.bfloat16, fp16=torch.float16)


def synchronize(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


class PartClock:
    """Wall time of each part; a part inside another stops the clock of the outer one."""

    def __init__(self, device: torch.device) -> None:
        self.seconds = defaultdict(float)
        self._device = device
        self._open = ['other']
        self._since = time.perf_counter()

    def _charge(self) -> None:
        synchronize(self._device)
        now = time.perf_counter()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def go_on_as(self, name: str) -> None:
        """In the backward pass, parts follow each other."""
        self._charge()
        self._open[-1] = name

    def timed(self, name: str, function: Callable) -> Callable:
        @wraps(function)
        def _timed(*args, **kwargs):
            with self.part(name):
                return function(*args, **kwargs)

        return _timed


def watch(model: nn.Module, wrapper: OptimWrapper, clock: PartClock) -> None:
    """Charge every part of the model's training step to the clock.

    The backward pass begins with the losses; where a gradient arrives at a loss's input, that of the heads begins,
    and where it arrives at the student's map, that of the student.
    """

    def when_gradient_comes(value: Tensor, part: str) -> None:
        if isinstance(value, Tensor) and value.requires_grad:
            value.register_hook(lambda _: clock.go_on_as(part))

    def watch_loss(loss: nn.Module, call: str) -> None:
        function = clock.timed('losses', getattr(loss, call))

        def _loss(*args, **kwargs):
            for value in (*args, *kwargs.values()):
                for part in vars(value).values() if isinstance(value, MaskedCells) else (value,):
                    when_gradient_comes(part, 'heads')
            value = function(*args, **kwargs)
            when_gradient_comes(value, 'losses')
            return value

        setattr(loss, call, _loss)

    def watch_student(student: nn.Module) -> None:
        forward = clock.timed('student', student.forward)

        def _forward(*args, **kwargs):
            maps = forward(*args, **kwargs)
            when_gradient_comes(maps[-1], 'student')
            return maps

        student.forward = _forward

    watch_student(model.backbone)
    model.teacher.forward = clock.timed('teacher', model.teacher.forward)
    for head in model.children():
        if hasattr(head, 'loss'):
            head.loss = clock.timed('heads', head.loss)
            for module in head.modules():
                if type(module).__name__.endswith('Loss'):
                    for call in {'forward', 'of_cells'} & set(dir(module)):
                        watch_loss(module, call)
    local_head.match_cells = clock.timed('matching', local_head.match_cells)
    wrapper.backward = clock.timed('losses', wrapper.backward)
    wrapper.step = clock.timed('optimizer', wrapper.step)
    wrapper.zero_grad = clock.timed('optimizer', wrapper.zero_grad)
    model.update_teachers = clock.timed('averaging', model.update_teachers)


def draw_noise(cfg: Config, samples: list[DataSample]) -> None:
    """Give samples the noise that the views of a config draw for the device to compute, if they do."""
    views = next(step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'TwoViews').views
    if views[0][-1].type != 'DrawPhotometricNoise':
        return
    image = np.zeros((cfg.size, cfg.size, 3), np.uint8)
    steps = [TRANSFORMS.build(view[-1]) for view in views]
    for sample in samples:
        drawn = np.stack([step(dict(img=image))['noise'] for step in steps])
        sample.set_field(torch.from_numpy(drawn), 'noise')


class Bench:
    """The model of a config with one batch, to be stepped either way."""

    def __init__(self, cfg: Config, args: argparse.Namespace) -> None:
        self.device = torch.device(args.device)
        cfg.model.compile_networks = args.compile
        self.memory_before = self._memory('VmRSS')
        torch.manual_seed(0)
        if args.channels_last is not None:
            cfg.model.channels_last = args.channels_last
        self.model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor}).train()
        self.model.init_weights()
        self.model.to(self.device)
        self.model.set_max_steps(10**6)
        settings = {**cfg.optim_wrapper.to_dict()}
        if args.amp:
            gpu = dict(type='AmpOptimWrapper', dtype=str(TYPES[args.amp]).removeprefix('torch.'), loss_scale='dynamic')
            settings.update(gpu if self.device.type == 'cuda' else dict(type='CPUAmpOptimWrapper'))
        self.wrapper = build_optim_wrapper(self.model, settings)
        self.amp = TYPES.get(args.amp)
        self.batch = random_batch(args.batch or cfg.train_dataloader.batch_size, cfg.size)
        draw_noise(cfg, self.batch['data_samples'])
        if self.device.type == 'cuda':  # as the loader hands it over
            self.batch['inputs'] = [view.pin_memory() for view in self.batch['inputs']]
        views = self.model.data_preprocessor(self.batch, True)['inputs']
        self.views = [view.contiguous(memory_format=self.model.memory_format) for view in views]

    def floor(self) -> None:
        """The backbones alone."""
        with torch.autocast(self.device.type, dtype=self.amp or torch.bfloat16, enabled=self.amp is not None):
            maps = [self.model.backbone(view)[-1] for view in self.views]
            with torch.no_grad():
                for view in self.views:
                    self.model.teacher(view)
        torch.autograd.backward(maps, [torch.ones_like(out) for out in maps])
        self.model.backbone.zero_grad()

    def step(self, batch: dict | None = None) -> None:
        """The whole training step, as the runner and its ``TeacherHook`` do it."""
        self.model.train_step(batch or self.batch, self.wrapper)
        self.model.update_teachers()

    def seconds(self, function: Callable[[], None]) -> float:
        synchronize(self.device)
        started = time.perf_counter()
        function()
        synchronize(self.device)
        return time.perf_counter() - started

    def peak_memory(self, function: Callable[[], None]) -> float:
        """MB (2^20 bytes) at the peak of a call."""
        if self.device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            forget_peak()
        function()
        return self._memory('VmHWM') - self.memory_before

    def _memory(self, kind: str) -> float:
        """Memory of the device at its peak; on CPUs a row of the process's status."""
        if self.device.type == 'cuda':
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        return memory_mb(kind)

    def heads_memory(self) -> float:
        """MB of the weights and buffers that the floor does not have."""
        ours = [*self.model.parameters(), *self.model.buffers()]
        floor = {
            id(t) for net in (self.model.backbone, self.model.teacher) for t in (*net.parameters(), *net.buffers())
        }
        return sum(t.numel() * t.element_size() for t in ours if id(t) not in floor) / 2**20

    def parts(self, steps: int) -> dict[str, float]:
        """Share of each part in the time of a step."""
        clock = PartClock(self.device)
        watch(self.model, self.wrapper, clock)
        for _ in range(steps):
            self.step()
        clock.go_on_as('other')
        total = sum(clock.seconds.values())
        return {name: clock.seconds[name] / total for name in PARTS}


def endless(loader: Iterable[dict]) -> Iterator[dict]:
    while True:
        yield from loader


def measure_loader(bench: Bench, loader: Iterable[dict], rounds: int, steps: int = 10) -> dict:
    """Seconds of a step on a batch of the loader and on one that is there, each over ``steps`` in a row."""
    batches = endless(loader)

    def fed() -> None:
        for _ in range(steps):
            bench.step(next(batches))

    def alone() -> None:
        for _ in range(steps):
            bench.step()

    bench.step(next(batches))  # starts the workers
    turns = [[bench.seconds(function) / steps for function in (fed, alone)] for _ in range(rounds)]
    fed_s, alone_s = (statistics.median(seconds) for seconds in zip(*turns, strict=True))
    return dict(fed_step_s=fed_s, step_over_fed_step=alone_s / fed_s)


def measure(bench: Bench, rounds: int, loader: Iterable[dict] | None = None) -> dict:
    memory = {}
    for name in ('floor', 'step'):  # the floor first, before there is an optimizer's state
        getattr(bench, name)()  # pays for allocations and compilation
        memory[name] = bench.peak_memory(getattr(bench, name))
    memory['floor'] -= bench.heads_memory()
    seconds = defaultdict(list)
    for _ in range(rounds):
        for name in ('floor', 'step'):
            seconds[name].append(bench.seconds(getattr(bench, name)))
    floor, step = (statistics.median(seconds[name]) for name in ('floor', 'step'))
    fed = measure_loader(bench, loader, rounds) if loader is not None else {}
    return dict(
        floor_s=floor,
        step_s=step,
        floor_over_step=floor / step,
        images_per_s=len(bench.views[0]) / step,
        floor_memory_mb=memory['floor'],
        peak_memory_mb=memory['step'],
        device=environment()['Hardware'],
        batch=len(bench.views[0]),
        **fed,
        # Last, because the clock stays in the model.
        parts=bench.parts(max(2, rounds // 2)),
    )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='a pretraining config, such as configs/cmid/cmid_r50_millionaid.py')
    parser.add_argument('--batch', type=int, help="images; default: the config's")
    parser.add_argument('--amp', choices=TYPES, help='autocast to this precision; default: float32')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda or cuda:1')
    parser.add_argument('--compile', action='store_true', help='torch.compile on student, teacher and projectors')
    parser.add_argument(
        '--channels-last', action=argparse.BooleanOptionalAction, help="memory format; default: the config's"
    )
    parser.add_argument('--data-root', help="images or a pack: also feed steps by the config's loader")
    parser.add_argument('--rounds', type=int, default=5, help='measured floors and steps')
    parser.add_argument('--json', action='store_true', help='print one object instead of the table')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings of the config')
    args = parser.parse_args()
    if args.rounds < 1 or (args.batch is not None and args.batch < 1):
        parser.error('--rounds and --batch must be 1 or more')
    return args


def table(figures: dict) -> str:
    lines = [
        f'{figures["device"]}; batch {figures["batch"]}',
        f'floor (backbones alone)  {figures["floor_s"]:8.3f} s {figures["floor_memory_mb"]:8.0f} MB',
        f'whole step               {figures["step_s"]:8.3f} s {figures["peak_memory_mb"]:8.0f} MB',
        f'floor / step             {figures["floor_over_step"]:8.3f}',
        f'step / floor, memory     {figures["peak_memory_mb"] / figures["floor_memory_mb"]:8.3f}',
        f'images/s                 {figures["images_per_s"]:8.1f}',
        'share of the step:',
    ]
    lines += [f'  {name:<22} {share:8.1%}' for name, share in figures['parts'].items()]
    if 'fed_step_s' in figures:
        lines.append(f'step / step with loader  {figures["step_over_fed_step"]:8.3f}')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    with stdout_for_the_result() as out:
        MMLogger.get_instance('mmengine', log_level='WARNING')  # no line for each initialised weight
        init_default_scope('mmpretrain')
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options or {})
        loader = None
        if args.data_root:
            cfg.train_dataloader.dataset.data_root = args.data_root
            cfg.train_dataloader.batch_size = args.batch or cfg.train_dataloader.batch_size
            loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        figures = measure(Bench(cfg, args), args.rounds, loader)
        print(json.dumps(figures) if args.json else table(figures), file=out)


if __name__ == '__main__':
    main()
