"""The cost of the hooks that watch a run is measured in turn with and without them."""

import json

import pytest


@pytest.mark.slow
def test_blocks_take_turns(run_tool, repo):
    printed = run_tool(
        'benchmark/monitoring.py',
        repo / 'configs/cmid/cmid_r18_demo.py',
        *('--batch', 2, '--rounds', 2, '--json', '--cfg-options'),
        *('default_hooks.logger.interval=2', 'model.backbone.base_channels=8', 'model.backbone.stem_channels=8'),
        *('model.global_head.queue_size=64', 'model.local_head.projector.num_prototypes=32'),
    )
    figures = json.loads(printed.splitlines()[-1])
    assert (figures['batch'], figures['interval']) == (2, 2)
    assert figures['ratio'] == pytest.approx(figures['with_hooks_s'] / figures['without_s'])
    low, high = figures['quartiles']
    assert 0 < low <= high
    assert figures['inside_share'] == pytest.approx(figures['inside_s'] / figures['without_s'])
    assert 0 < figures['inside_s'] < figures['with_hooks_s']
