"""The same run twice on one machine: the same losses and weights, bit for bit."""

import os

from mmengine.config import Config


def make_deterministic(cfg: Config) -> None:
    """Let torch choose, of each operation, an implementation whose sums have a fixed order, or refuse the operation.

    mmengine sets ``torch.use_deterministic_algorithms`` and cuDNN's flags from the config. What it leaves out is the
    workspace of cuBLAS, which without ``CUBLAS_WORKSPACE_CONFIG`` is chosen anew in each run and then refused by torch;
    cuBLAS reads the variable at its first call, so this must come before the model is on a GPU. On CPUs nothing else
    is needed: sums are split by the number of threads, which must be the same in both runs (``OMP_NUM_THREADS``).

    Args:
        cfg (Config): Config of a run, changed in place.
    """
    randomness = dict(cfg.get('randomness', {}), deterministic=True)
    if randomness.get('seed') is None:
        randomness['seed'] = 0  # mmengine would draw one
    cfg.randomness = randomness
    # Timing would choose the algorithms otherwise.
    cfg.env_cfg = dict(cfg.get('env_cfg', {}), cudnn_benchmark=False)
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
