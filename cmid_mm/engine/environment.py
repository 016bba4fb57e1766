"""The machine, the software and the settings of the shell that a run depends on."""

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import torch

from cmid_mm.version import __version__

PACKAGES = ('torch', 'torchvision', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain', 'scikit-learn', 'numpy')
# Settings that change numbers or the order in which they are added; a rerun sets them again.
NUMERIC_VARIABLES = (
    'CUBLAS_WORKSPACE_CONFIG',
    'CUDA_LAUNCH_BLOCKING',
    'KMP_DETERMINISTIC_REDUCTION',
    'MKL_CBWR',
    'MKL_NUM_THREADS',
    'NCCL_ALGO',
    'NCCL_PROTO',
    'NVIDIA_TF32_OVERRIDE',
    'OMP_DYNAMIC',
    'OMP_NUM_THREADS',
    'ONEDNN_MAX_CPU_ISA',
    'OPENBLAS_NUM_THREADS',
    'PYTHONHASHSEED',
    'TORCH_ALLOW_TF32_CUBLAS_OVERRIDE',
)
# Which devices and processes there were; another machine, or another day, has others.
PLACE_VARIABLES = (
    'CUDA_VISIBLE_DEVICES',
    'LOCAL_WORLD_SIZE',
    'OMP_WAIT_POLICY',
    'PYTHONPATH',
    'SLURM_JOB_ID',
    'SLURM_NNODES',
    'SLURM_NTASKS',
    'WORLD_SIZE',
    'XDG_CACHE_HOME',
)


def environment() -> dict[str, str]:
    """Name the hardware, the versions and the date in a line each, as a page or a table shows them."""
    hardware = f'{processor()}, {cores()} cores'
    if torch.cuda.is_available():
        hardware += f'; {torch.cuda.device_count()} x {torch.cuda.get_device_name()}'
    versions = [f'cmid_mm {__version__}', f'Python {platform.python_version()}']
    for package in PACKAGES:
        try:
            versions.append(f'{package} {version(package)}')
        except PackageNotFoundError:
            # The upstream distributions have the same modules under names without "onedl-".
            versions.append(f'{package} not installed')
    return {
        'Hardware': hardware,
        'Versions': ', '.join(versions),
        'Date': datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
    }


def hardware() -> dict[str, str | int | list[str]]:
    """Processor, cores, the instructions that torch uses of it, and GPUs with their driver."""
    driver = Path('/proc/driver/nvidia/version')
    return {
        'processor': processor(),
        'cores': cores(),
        'instructions': torch.backends.cpu.get_cpu_capability(),
        'gpus': [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        'gpu_driver': driver.read_text(encoding='utf-8').splitlines()[0] if driver.is_file() else '',
    }


def software() -> dict[str, str]:
    """Versions of the system, of Python, of CUDA's libraries and of every installed package, by name."""
    found = {
        'system': platform.platform(),
        'Python': platform.python_version(),
        'CUDA': torch.version.cuda or '',
        'cuDNN': str(torch.backends.cudnn.version() or ''),
    }
    packages = {}
    for package in distributions():
        # The first on the path is the one that is imported; a damaged one has no name.
        if package.metadata['Name']:
            packages.setdefault(package.metadata['Name'], package.version)
    return found | dict(sorted(packages.items(), key=lambda item: item[0].lower()))


def variables() -> dict[str, str]:
    """Environment variables that a run depends on, those that are set; no other is looked at."""
    return {name: os.environ[name] for name in NUMERIC_VARIABLES + PLACE_VARIABLES if name in os.environ}


def cores() -> int:
    """CPU cores that this process may use."""
    # Containers and schedulers lend fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def processor() -> str:
    """Name of the CPU."""
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()
