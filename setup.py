"""Build and install cmid_mm; what it needs stands in requirements/.

Configs, tools and the model index are copied to ``cmid_mm/.mim`` of the built package, where OpenMMLab's
client looks for them (``mim train``, ``mim list``). They are copied into the build folder, never into the
source tree, and not at all by an editable install, which has them in the checkout.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHIPPED = ('configs', 'tools', 'model-index.yml')


def requirements(*names: str) -> list[str]:
    """Return the requirement lines of ``requirements/<name>.txt``, comments removed."""
    lines = []
    for name in names:
        for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
            if requirement := line.split('#')[0].strip():
                lines.append(requirement)
    return lines


def version() -> str:
    """Return ``__version__`` without importing the package, whose dependencies may be missing."""
    source = (ROOT / 'cmid_mm' / 'version.py').read_text()
    return re.search(r"__version__ = '(.+)'", source).group(1)


class BuildWithMim(build_py):
    """``build_py`` that also lays configs, tools and the model index into ``cmid_mm/.mim``."""

    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        package = Path(self.build_lib) / 'cmid_mm'
        shutil.rmtree(package, ignore_errors=True)  # a file deleted since the last build stays away
        super().run()
        target = package / '.mim'
        target.mkdir()
        for name in SHIPPED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
            else:
                shutil.copy2(source, target / name)


setup(
    # Not cmid-mm: mim takes the folder of the first row of RECORD for the package, and pip sorts the
    # rows, so `cmid_mm-0.1.0.dist-info/` would come before `cmid_mm/`. For the same reason there is no
    # console script (its row, ../../../bin/..., would be the first).
    name='mm-cmid',
    version=version(),
    description='CMID and its rivals for remote sensing images without labels, on OpenMMLab',
    python_requires='>=3.10',
    packages=find_packages(include=['cmid_mm', 'cmid_mm.*']),
    install_requires=requirements('mminstall', 'runtime'),
    extras_require={
        'tasks': requirements('rotate'),
        'tests': requirements('rotate', 'tests'),
    },
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
