"""How much faster a pretraining step is on this CPU under bfloat16 autocast: tools/benchmark/cpu_precision.py.

Both precisions take turns on the same batch; the ratio of the medians is printed.
"""

import argparse
import statistics
import time

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from random_batch import random_batch

from cmid_mm.engine.optimizers import cpu_multiplies_bfloat16

WRAPPERS = dict(float32='OptimWrapper', bfloat16='CPUAmpOptimWrapper')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='configs/cmid/cmid_r18_demo.py')
    parser.add_argument('--rounds', type=int, default=8, help='measured steps of each precision')
    args = parser.parse_args()
    init_default_scope('mmpretrain')
    cfg = Config.fromfile(args.config)
    torch.manual_seed(0)
    model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor}).train()
    model.init_weights()
    model.set_max_steps(2 * (args.rounds + 1))
    batch = random_batch(cfg.train_dataloader.batch_size, cfg.size)
    wrappers = {
        name: build_optim_wrapper(model, {**cfg.optim_wrapper.to_dict(), 'type': kind})
        for name, kind in WRAPPERS.items()
    }
    seconds = {name: [] for name in wrappers}
    for turn in range(args.rounds + 1):
        for name, wrapper in wrappers.items():
            started = time.perf_counter()
            model.train_step(batch, wrapper)
            if turn:  # the first pays for allocations
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(
        f'instructions for bfloat16: {"yes" if cpu_multiplies_bfloat16() else "no"}; {torch.get_num_threads()} threads'
    )
    print(f'bfloat16 is {medians["float32"] / medians["bfloat16"]:.2f} times as fast as float32')


if __name__ == '__main__':
    main()
