"""A run is drawn over reference curves, and written as one."""

import csv
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from cmid_mm.visualization.reference_curves import read_curves, write_curves


@pytest.fixture
def compare_run(repo, monkeypatch, capsys):
    """Run the tool in this process, which has imported what it needs; return what it printed."""

    def _compare_run(*arguments) -> str:
        tool = str(repo / 'tools/analysis/compare_run.py')
        monkeypatch.setattr('sys.argv', [tool, *map(str, arguments)])
        runpy.run_path(tool, run_name='__main__')
        return capsys.readouterr().out

    return _compare_run


@pytest.fixture
def work_dir(tmp_path):
    """A run that logs its losses every 19 steps, and k-NN at a step that has a loss as well."""
    folder = tmp_path / 'work/20260101_000000/vis_data'
    folder.mkdir(parents=True)
    lines = [dict(step=step, iter=step, epoch=1, loss=14 - step / 100, lr=1e-3, query_std=0.5) for step in (19, 38, 57)]
    lines.append({'step': 57, 'knn/student': 0.25})
    (folder / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return tmp_path / 'work'


def test_a_run_over_each_reference_curve(compare_run, repo, work_dir):
    tables = sorted(Path(repo, 'docs/curves').glob('*.csv'))
    assert len(tables) == 5
    printed = compare_run(work_dir, *tables)
    assert f'wrote {work_dir}/compared.png' in printed
    assert 'loss: 13.43 against 13.62 at step 57' in printed
    picture = np.asarray(Image.open(work_dir / 'compared.png').convert('L'))
    # Two panels, the loss and the rate, with lines in them.
    assert all(half.std() > 5 for half in np.array_split(picture, 2, axis=1))


def test_a_run_is_written_as_a_table_and_read_again(compare_run, work_dir, tmp_path):
    compare_run(work_dir, '--write', tmp_path / 'mine.csv')
    with (tmp_path / 'mine.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['step'] for row in rows] == ['19', '38', '57']
    assert [row['knn/student'] for row in rows] == ['', '', '0.25']
    printed = compare_run(work_dir, tmp_path / 'mine.csv', '--scalars', 'knn/student')
    assert 'knn/student: 0.25 against 0.25 at step 57' in printed


def test_errors_are_one_sentence(compare_run, work_dir, tmp_path):
    def refused(*arguments) -> str:
        with pytest.raises(SystemExit) as caught:
            compare_run(*arguments)
        return str(caught.value)

    assert refused(work_dir, '--scalars', 'rank').startswith(
        'compare_run: --scalars rank: no run has it; they have knn/student, loss'
    )
    assert 'shares no scalar with another' in refused(work_dir)
    assert 'holds no */vis_data/scalars.json' in refused(tmp_path / 'none')
    (tmp_path / 'bad.csv').write_text('step,loss\n1,2\n2,x\n')
    assert 'bad.csv, line 3: not a step and 1 numbers' in refused(tmp_path / 'bad.csv')
    (tmp_path / 'bad.csv').write_text('loss\n1\n')
    assert 'bad.csv, line 1: no table of curves' in refused(tmp_path / 'bad.csv')


@given(
    values=arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)),
    most=st.integers(2, 80),
)
def test_tables_keep_the_ends_and_four_digits(values, most, tmp_path_factory):
    path = tmp_path_factory.mktemp('curves') / 'table.csv'
    steps = 50 * np.arange(1, len(values) + 1)
    write_curves(dict(loss=(steps, values)), path, most)
    places, found = read_curves(path)['loss']
    assert len(places) == min(most, len(steps))
    assert {places[0], places[-1]} == {steps[0], steps[-1]}
    kept = values[np.searchsorted(steps, places)]
    np.testing.assert_allclose(found, kept, rtol=1e-3, atol=1e-300)
