"""A scene of 10,000 x 10,000 pixels takes less than 4 GB of memory, reading, predicting, drawing and writing.

Segmentation is left out: change does the same, with two scenes.
"""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from tifffile import imwrite

SIDE = 10_000
RUN = """
import resource, sys
from cmid_mm.apis import INFERENCERS
task, config, checkpoint, scene, out = sys.argv[1:]
inferencer = INFERENCERS[task](config, checkpoint, 'cpu', window_size=1024)
inputs = (scene, scene) if task == 'change' else scene
for prediction in inferencer.stream(inputs, out, batch_size=2):
    print(prediction.files)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    """A 16-bit TIFF in tiles, the heaviest of what is read."""
    path = tmp_path_factory.mktemp('scene') / 'scene.tif'
    coarse = np.random.default_rng(0).integers(0, 4000, (64, 64, 3), dtype=np.uint16)
    tile = cv2.resize(coarse, (512, 512), interpolation=cv2.INTER_CUBIC)
    tiles = (tile for _ in range((-(-SIDE // 512)) ** 2))
    imwrite(path, tiles, shape=(SIDE, SIDE, 3), dtype=np.uint16, tile=(512, 512), compression='deflate')
    return path


@pytest.mark.slow
@pytest.mark.parametrize('task', ['change', 'detection'])
def test_a_scene_of_100_million_pixels_stays_under_4_gb(trained, scene, tmp_path, task):
    cfg, checkpoint = trained(task)
    cfg.dump(tmp_path / 'config.py')
    arguments = [task, tmp_path / 'config.py', checkpoint, scene, tmp_path / 'out']
    done = subprocess.run([sys.executable, '-c', RUN, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    gibibytes = float(done.stdout.splitlines()[-1])
    print(f'{task}: {gibibytes:.2f} GiB')
    assert gibibytes * 2**30 < 4e9
    if task == 'change':
        index = cv2.imread(str(tmp_path / 'out/predictions/scene.png'), cv2.IMREAD_UNCHANGED)
        assert index.shape == (SIDE, SIDE)
    picture = cv2.imread(str(tmp_path / 'out/pictures/scene.jpg'))
    assert max(picture.shape) < 3 * 2048 + 200
