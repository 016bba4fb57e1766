"""Install mmcv with its compiled ops, built for the torch of this environment, or do nothing if it has them.

mmdetection and mmrotate import these ops. A plain ``pip install onedl-mmcv`` builds in isolation, where
torch cannot be seen, leaves the ops out and keeps that wheel in pip's cache; so the ops are built here with
torch in sight and pip's cache out of the way. The wheel is kept for the next environment of the same torch,
Python, mmcv and platform under ``$XDG_CACHE_HOME/cmid_mm/wheels`` (``~/.cache`` by default).

    python tools/install_mmcv_ops.py
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import version
from pathlib import Path

# Python's own flags are replaced, so the optimisation has to be said again; -g0 because debug symbols make the
# wheel 33 MB instead of 2 and the build 13 minutes instead of 5 on two cores; -w because the warnings are mmcv's.
CFLAGS = '-O2 -DNDEBUG -fwrapv -g0 -w'

# One op with a CPU kernel is run, as a library that was built for another torch may import and then fail.
PROBE = """
import torch
from mmcv.ops import box_iou_rotated
box = torch.tensor([[4.0, 4.0, 2.0, 1.0, 0.3]])
assert abs(box_iou_rotated(box, box).item() - 1) < 1e-3
"""


class OpsError(Exception):
    """The ops cannot be built or do not run; the message is one sentence for the user."""


def ops_run() -> bool:
    """Return whether a fresh interpreter of this environment imports and runs mmcv's ops."""
    probe = [sys.executable, '-c', PROBE]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def builds_cuda() -> bool:
    """Return whether mmcv would compile CUDA ops: it does where torch sees a GPU, and needs nvcc then."""
    import torch
    from torch.utils.cpp_extension import CUDA_HOME

    return torch.cuda.is_available() and CUDA_HOME is not None


def wheel_folder(mmcv: str, cuda: bool) -> Path:
    """Return the folder where the wheel for exactly this environment is kept.

    Args:
        mmcv: Version of mmcv.
        cuda: Whether the wheel holds CUDA ops.
    """
    import torch

    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    key = (
        f'mmcv{mmcv}',
        f'torch{torch.__version__}',
        f'{sys.implementation.cache_tag}{sys.abiflags}',
        f'{sysconfig.get_platform()}-{"".join(platform.libc_ver())}',
        'cuda' if cuda else 'cpu',
    )
    return cache / 'cmid_mm' / 'wheels' / '_'.join(key)


def check_tools() -> None:
    """Raise `OpsError` if there is no C++ compiler or no Python header file."""
    compiler = os.environ.get('CXX', 'g++').split()[0]
    if shutil.which(compiler) is None:
        raise OpsError(
            f"mmcv's ops need a C++ compiler and {compiler} is not on the PATH: install one "
            '(Debian, Ubuntu: apt install g++) or name it in CXX.'
        )
    header = Path(sysconfig.get_path('include')) / 'Python.h'
    if not header.is_file():
        raise OpsError(
            f"mmcv's ops need Python's header files and there is no {header}: install them "
            '(Debian, Ubuntu: apt install python3-dev) or use another Python.'
        )


def pip(*arguments: str, env: dict[str, str] | None = None) -> None:
    """Run pip of this environment, with its configured package index."""
    command = [sys.executable, '-m', 'pip', '--disable-pip-version-check', *arguments]
    if (status := subprocess.run(command, env=env, check=False).returncode) != 0:
        raise OpsError(f'pip {arguments[0]} of mmcv failed with status {status}: see its output above.')


def build(mmcv: str, cuda: bool, folder: Path) -> Path:
    """Compile mmcv with ops into a wheel.

    Args:
        mmcv: Version of mmcv.
        cuda: Whether to compile CUDA ops.
        folder: Where to put the wheel.

    Returns:
        The wheel's path.

    Raises:
        OpsError: If a tool is missing, the build fails, or it left the ops out.
    """
    check_tools()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    env = {'MAX_JOBS': str(cores), 'CFLAGS': CFLAGS, **os.environ}
    if not cuda:
        env['CUDA_VISIBLE_DEVICES'] = ''  # a GPU without nvcc would end the build
    print(f'Compiling the ops of mmcv {mmcv} for {"CUDA" if cuda else "the CPU"}, about 5 minutes on 2 cores.')
    pip(
        *('wheel', '--no-deps', '--no-build-isolation', '--no-cache-dir'),
        *('--no-binary', 'onedl-mmcv', '--wheel-dir', str(folder), f'onedl-mmcv=={mmcv}'),
        env=env,
    )
    (wheel,) = folder.glob('onedl_mmcv-*.whl')
    if wheel.name.endswith('-none-any.whl'):
        raise OpsError(f'mmcv {mmcv} was built without ops ({wheel.name}): torch was not seen by its setup.py.')
    return wheel


def install(wheel: Path) -> bool:
    """Put ``wheel`` in the place of the installed mmcv and return whether its ops run."""
    pip('install', '--no-deps', '--force-reinstall', str(wheel))
    return ops_run()


def main() -> None:
    """Install the ops from the kept wheel, else from a new build, which is then kept."""
    mmcv = version('onedl-mmcv')
    if ops_run():
        print(f'mmcv {mmcv} has its compiled ops.')
        return
    cuda = builds_cuda()
    kept = wheel_folder(mmcv, cuda)
    for wheel in kept.glob('*.whl'):
        if install(wheel):
            return
        print(f'{wheel} does not run here and is built anew.')
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(mmcv, cuda, Path(folder))
        if not install(wheel):
            raise OpsError(f'mmcv {mmcv} was built and its ops do not run: try `python -c "import mmcv.ops"`.')
        kept.mkdir(parents=True, exist_ok=True)
        part = kept / f'.{wheel.name}.{os.getpid()}'
        shutil.copyfile(wheel, part)
        part.replace(kept / wheel.name)  # at once, so that nobody finds half a wheel


if __name__ == '__main__':
    try:
        main()
    except OpsError as error:
        sys.exit(str(error))
