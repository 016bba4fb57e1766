"""One self-contained page on a run: curves, metrics, pictures, results, checkpoints, config, environment."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from cmid_mm.engine.run_record import find_records, read_record

from .loss_curves import Curve, draw_loss_curves, find_scalars, read_scalars
from .report import Table, facts_html, page, table_html
from .run_files import PICTURES, Shown, megabytes, read_checkpoints, read_pictures, read_results

MOST_BYTES = 30_000_000
# Nothing is loaded, from the network or from beside the page; what it shows lies in it.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# Interactive pictures bring scripts. Each runs in a frame of its own, which cannot reach the page around it.
_POLICY_WITH_FRAMES = f"{_POLICY}; script-src 'unsafe-inline'"
_UNDRAWN = ('base_lr', 'data_time', 'memory', 'time')


def write_run_report(
    work_dir: str | Path, out: str | Path, others: Sequence[str | Path] = (), most_bytes: int = MOST_BYTES
) -> Path:
    """Gather what a work folder holds into one page that opens offline.

    Args:
        work_dir (str | Path): Of a run of ``tools/train.py``.
        out (str | Path): HTML file to write.
        others (Sequence[str | Path]): Folders of runs that went on from this one, whose results are shown too.
        most_bytes (int): Pictures in the page; more of them are named and left out. Defaults to 30 million.

    Returns:
        Path: The page.

    Raises:
        FileNotFoundError: If a folder does not exist, or ``work_dir`` holds nothing that could be shown.
        ValueError: If a record of the run is damaged.
    """
    work_dir, out = Path(work_dir), Path(out)
    for folder in (work_dir, *map(Path, others)):
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder} is no folder; give the work folder of a run')
    records = [read_record(path) for path in find_records(work_dir)]
    pictures = read_pictures(work_dir, most_bytes)
    curves, metrics = _curves_and_metrics(work_dir)
    config = records[-1]['config'] if records else _config_beside(work_dir)
    sections = {
        'Run': _run(records),
        'Curves': curves,
        'Metrics': metrics,
        'Pictures': ''.join(_picture(shown) for shown in pictures),
        'Results': _results(work_dir, '') + ''.join(_results(Path(folder), f'{folder}/') for folder in others),
        'Checkpoints': _checkpoints(work_dir),
        'Config': _folded('all settings, overrides of the command line included', config) if config else '',
        'Environment': _environment(records),
    }
    if not any(sections.values()):
        raise FileNotFoundError(f'{work_dir} holds nothing of a run; give the folder that --work-dir of it named')
    links = ' '.join(f'<a href="#{name}">{name}</a>' for name in sections)
    body = f'<nav>{links}</nav>' + ''.join(
        f'<h2 id="{name}">{name}</h2>{content or "<p class=soft>None in this folder.</p>"}'
        for name, content in sections.items()
    )
    frames = any(shown.is_page and shown.data for shown in pictures)
    text = page(f'Run {work_dir.resolve().name}', body, _POLICY_WITH_FRAMES if frames else _POLICY)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Names of files may hold bytes that are no text.
    out.write_text(text, encoding='utf-8', errors='replace')
    return out


def _run(records: Sequence[Mapping]) -> str:
    if not records:
        return ''
    last = records[-1]
    data, count = last['data'], last['processes']
    facts = {
        'Command': ' '.join(last['command']),
        'Started': last['started'],
        'Iterations': f'{last["iterations"]:,}',
        'Seed': f'{last["seed"]}{", deterministic" if last["deterministic"] else ""}',
        'Processes': f'{count} on {", ".join(last["machines"])}',
        'Data': f'{data["samples"]:,} samples ({data["dataset"]}), fingerprint {data["fingerprint"] or "unknown"}',
    }
    if len(records) == 1:
        return facts_html(facts)
    starts = [
        (record['started'], f'{record["first_iteration"]:,}', str(record['processes']), _source(record['git'])[:60])
        for record in records
    ]
    table = Table(('started', 'after iteration', 'processes', 'source'), starts)
    return f'{facts_html(facts)}<h3>Each start</h3>{table_html(table, "left")}'


def _curves_and_metrics(work_dir: Path) -> tuple[str, str]:
    """A picture of each curve, and a table of last values."""
    try:
        curves = read_scalars(find_scalars(work_dir), everything=True)
    except FileNotFoundError:
        return '', ''
    except ValueError as error:
        return f'<p>{escape(str(error))}</p>', ''
    drawn = ''.join(
        f'<figure><img src="{_curve(name, curve)}" alt="{escape(name)}"></figure>'
        for name, curve in curves.items()
        if name not in _UNDRAWN
    )
    rows = [(name, *_summary(curve)) for name, curve in curves.items() if name != 'base_lr']
    table = table_html(Table(('scalar', 'last', 'at step', 'lowest', 'highest'), rows), 'names')
    return f'<div class="grid">{drawn}</div>', table


def _curve(name: str, curve: Curve) -> str:
    picture = io.BytesIO()
    # Matplotlib takes what stands between two dollar signs for a formula.
    draw_loss_curves({name.replace('$', r'\$'): curve}, picture, columns=1)
    return _data_uri(picture.getvalue())


def _summary(curve: Curve) -> tuple[str, str, str, str]:
    steps, values = curve
    known = values[np.isfinite(values)]
    ends = (f'{known.min():.4g}', f'{known.max():.4g}') if len(known) else ('', '')
    return f'{values[-1]:.4g}', f'{steps[-1]:,}', *ends


def _picture(shown: Shown) -> str:
    title = f'<h3>{escape(shown.name)}</h3>'
    if shown.data is None:
        link = f'<a href="{quote(f"{PICTURES}/{shown.name}", errors="replace")}">{escape(shown.name)}</a>'
        return f'{title}<p class="soft">Left out ({escape(shown.reason)}); beside the work folder: {link}</p>'
    if shown.is_page:
        inside = escape(shown.data.decode('utf-8', errors='replace'))
        return f'{title}<iframe sandbox="allow-scripts" title="{escape(shown.name)}" srcdoc="{inside}"></iframe>'
    return f'{title}<figure class="picture"><img src="{_data_uri(shown.data)}" alt="{escape(shown.name)}"></figure>'


def _results(folder: Path, prefix: str) -> str:
    """Results below a folder; those of other work folders have it before their names."""
    parts = []
    for found in read_results(folder, own=not prefix):
        name = prefix + found.name
        table = table_html(Table(found.header, found.rows), 'left') if found.rows else ''
        reason = f'<p class="soft">{escape(found.reason)}</p>' if found.reason else ''
        parts.append(f'<h3>{escape(name)}</h3>{table}{reason}')
    return ''.join(parts)


def _checkpoints(work_dir: Path) -> str:
    rows = [(found.name, megabytes(found.size)) for found in read_checkpoints(work_dir)]
    return table_html(Table(('file', 'size'), rows), 'left') if rows else ''


def _environment(records: Sequence[Mapping]) -> str:
    if not records:
        return ''
    last = records[-1]
    hardware, software = last['hardware'], last['software']
    facts = {
        'Hardware': f'{hardware["processor"]}, {hardware["cores"]} cores ({hardware["instructions"]})',
        'GPUs': ', '.join(hardware['gpus']) or 'none',
        'Threads': str(last['threads']),
        'Python': f'{software["Python"]} on {software["system"]}',
        'Source': _source(last['git']),
        'Variables': ', '.join(f'{name}={value}' for name, value in last['variables'].items()) or 'none set',
        'Weights': ', '.join(f'{name} ({digest[:12]}…)' for name, digest in last['weights'].items())
        or 'none from a file',
    }
    packages = '\n'.join(f'{name} {version}' for name, version in software.items())
    changes = last['git'].get('diff')
    return (
        facts_html(facts)
        + _folded('versions of all packages', packages)
        + (_folded('difference of the source to its commit', changes) if changes else '')
    )


def _source(git: Mapping) -> str:
    if 'commit' not in git:
        return f'cmid_mm; {git["reason"]}'
    return f'commit {git["commit"]}' + (f', with changes of SHA-256 {git["changes"]}' if git['changes'] else '')


def _config_beside(work_dir: Path) -> str:
    """The newest config that mmengine has written, for runs of before there were records."""
    found = sorted(work_dir.glob('*/vis_data/config.py')) or sorted(work_dir.glob('*.py'))
    return found[-1].read_text(encoding='utf-8', errors='replace') if found else ''


def _folded(title: str, text: str) -> str:
    return f'<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>'


def _data_uri(data: bytes) -> str:
    return f'data:image/png;base64,{base64.b64encode(data).decode()}'
