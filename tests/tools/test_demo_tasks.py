"""The chain from unlabelled scenes to trained tasks runs, ends with its page, and a second run repeats nothing."""

import json
import re

import pytest


@pytest.mark.slow
def test_the_chain_ends_with_a_page_and_is_not_run_twice(run_tool, tmp_path):
    options = ('--scenes', '72', '--pretrain-epochs', '1', '--tasks', 'classification', 'change')
    printed = run_tool('demo_tasks.py', *options, '--work-dir', tmp_path / 'my demo')
    page = (tmp_path / 'my demo/report/index.html').read_text()
    for picture in ('losses.png', 'classification.jpg', 'change.jpg'):
        assert f'src="{picture}"' in page
        assert (tmp_path / 'my demo/report' / picture).stat().st_size > 5000
    for start in ('untrained', 'CMID'):
        (scalars,) = tmp_path.glob(f'my demo/classification/{start}-seed0/run/*/vis_data/scalars.json')
        last = json.loads(scalars.read_text().splitlines()[-1])
        assert f'{last["accuracy/top1"]:.1f}' in re.search(r'classification \|.*', printed).group()

    before = {path: path.stat().st_mtime for path in tmp_path.rglob('epoch_*.pth')}
    run_tool('demo_tasks.py', *options, '--work-dir', tmp_path / 'my demo')
    assert {path: path.stat().st_mtime for path in tmp_path.rglob('epoch_*.pth')} == before


@pytest.mark.slow
def test_a_folder_of_something_else_is_left_alone(run_tool, tmp_path):
    (tmp_path / 'scenes').mkdir()
    (tmp_path / 'scenes/mine.txt').write_text('mine')
    printed = run_tool('demo_tasks.py', '--work-dir', tmp_path, fails=True)
    assert re.search(r'demo_tasks: .*scenes', printed)
    assert (tmp_path / 'scenes/mine.txt').read_text() == 'mine'
