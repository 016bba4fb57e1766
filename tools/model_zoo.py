"""Write docs/model_zoo.md from the metafiles and configs, so that it cannot say anything else: tools/model_zoo.py.

Backbone and epochs of a row are those of its config. With --check nothing is written, and a page that is not up to date
ends it with an error.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml
from mmengine.config import Config

from cmid_mm.checkpoints.key_rules import SOURCES

REPO = Path(__file__).resolve().parents[1]
PAGE = REPO / 'docs/model_zoo.md'
TASKS = ('classification', 'segmentation', 'detection', 'change_detection')
# Folders that come first; the other methods follow in the order of the alphabet.
FIRST = ('cmid',)
SIZES = dict(tiny='T', small='S', base='B', large='L', t='T', s='S', b='B', l='L')
METRICS = dict(knn='10-NN', linear_probe='linear probe', fine_tuned='fine-tuned')
FAMILIES = dict(ResNet='ResNet', SwinTransformer='Swin', ConvNeXt='ConvNeXt', ViT='ViT', VisionTransformer='ViT')
HEAD = """# Model zoo

What there is of each method: configs, public weights and how to convert them, and figures. Written by
`python tools/model_zoo.py` from the metafiles of `configs/`, the configs themselves and the tables of
`tools/benchmark/compare.py` in `docs/comparison/`; change those, then run it.

- **Reported**: by the paper named there, of its own weights, after fine-tuning with labels. Not measured here.
- **Measured here**: by the command, on the machine and date that [results.md](results.md) names.
- Epochs say what a config will train; none of 200 or 400 has been trained to its end here, and this project publishes
  no weights.
"""
TAIL = """Download the file from its source, then run
`python tools/convert_checkpoint.py FILE backbone.safetensors --from NAME`. [checkpoints.md](checkpoints.md) says what
each source expects and what is left out. Weights keep the terms of those who published them."""
CMID_PAPER = '[arXiv:2304.09670](https://arxiv.org/abs/2304.09670)'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(str(cell) for cell in line) + ' |' for line in lines)


def backbone_name(backbone: dict) -> str:
    """What people call the backbone of a config.

    Raises:
        ValueError: If its class is of no known family.
    """
    kind = backbone['type'].split('.')[-1]
    family = next((FAMILIES[name] for name in FAMILIES if kind.endswith(name)), None)
    if family is None:
        raise ValueError(f'tools/model_zoo.py has no name for a backbone of type={kind!r}; add it to FAMILIES there')
    if family == 'ResNet':
        return f'ResNet-{backbone["depth"]}'
    arch = backbone['arch']
    if isinstance(arch, dict):
        return f'{family}, {arch.get("embed_dims", arch.get("channels"))} wide'
    size = arch.removeprefix('deit-')
    return f'{family}-{SIZES.get(size, size)}'


def model_rows(models: Iterable[dict]) -> list[tuple]:
    """A row for each config: name, backbone, data, epochs, what is reported."""
    rows = []
    for model in models:
        cfg = Config.fromfile(REPO / model['Config'])
        reported = '; '.join(
            f'{result["Dataset"]} {metric} {value:.2f}'
            for result in model['Results'] or ()
            for metric, value in result['Metrics'].items()
        )
        rows.append(
            (
                f'[{model["Name"]}](../{model["Config"]})',
                backbone_name(cfg.model.backbone),
                model['Metadata']['Training Data'],
                cfg.train_cfg.max_epochs,
                reported and f'by {model["Metadata"]["Results Reported By"]}: {reported}',
            )
        )
    return rows


def weights_rows(weights: Iterable[dict]) -> list[tuple]:
    """A row for each public file: name, backbone, data, epochs, source, how to convert it."""
    return [
        (
            f'[{item["Name"]}]({item["Weights"]})',
            item['Backbone'],
            item['Training Data'],
            item['Epochs'],
            f'`--from {item.get("Convert From", "openmmlab")}`',
        )
        for item in weights
    ]


def measured(folder: str) -> list[str]:
    """A sentence for each comparison that a method took part in."""
    sentences = []
    for path in sorted(REPO.glob('docs/comparison/*.csv')):
        with path.open(newline='') as file:
            # compare.py names a row "cmid, rate x 0.1" if it trained at another rate than the config's.
            rows = [row for row in csv.DictReader(file) if row['method'].split(', rate')[0] == folder]
        for data, name in sorted({(row['pretrained_on'], row['method']) for row in rows}):
            config = REPO / f'configs/{folder}/{folder}_{rows[0]["backbone"]}_ucmerced.py'
            backbone = backbone_name(Config.fromfile(config).model.backbone)
            trained = f'{backbone} on {data}{name.removeprefix(folder)}'
            own = [
                row
                for row in rows
                if row['method'] == name
                and row['pretrained_on'] == row['scored_on'] == data
                and row['metric'] in METRICS
            ]
            figures = (
                f'{METRICS[row["metric"]]} {100 * float(row["mean"]):.1f} ± {100 * float(row["half_width"]):.1f}'
                for row in own
            )
            sentences.append(
                f'Measured here ([results.md](results.md#{path.stem})), {trained}, '
                f'percent, mean ± half of the 95% interval over {own[0]["seeds"]} seeds: {"; ".join(figures)}.'
            )
    return sentences


def method(folder: str, collection: dict, models: list[dict]) -> str:
    """Paragraphs on one method."""
    facts, paper = collection['Metadata'], collection['Paper']
    parts = [f'### {collection["Name"]}', f'[{paper["Title"]}]({paper["URL"]})']
    if models:
        parts.append(table(('config', 'backbone', 'data', 'epochs', 'reported'), model_rows(models)))
    if weights := facts.get('Published Weights'):
        head = ('public weights', 'backbone', 'data', 'epochs', 'converted by')
        parts.append(table(head, weights_rows(weights)))
    if reported := dict(facts.get('Reported By The Paper Of CMID', {})):
        backbone, data = reported.pop('Backbone'), reported.pop('Training Data')
        figures = '; '.join(f'{name} {value:.2f}' for name, value in reported.items())
        parts.append(f"Reported by CMID's paper ({CMID_PAPER}) of a {backbone} pretrained on {data}: {figures}.")
    return '\n\n'.join([*parts, *measured(folder)])


def page() -> str:
    """The whole page.

    Raises:
        ValueError: If a metafile asks for a conversion that there is not.
    """
    files = {path.parent.name: yaml.safe_load(path.read_text()) for path in sorted(REPO.glob('configs/*/metafile.yml'))}
    methods, tasks = [], []
    for folder in sorted(files, key=lambda name: (name not in FIRST, name == 'converted', name)):
        for collection in files[folder]['Collections']:
            for item in collection['Metadata'].get('Published Weights', ()):
                if (source := item.get('Convert From', 'openmmlab')) not in SOURCES:
                    raise ValueError(
                        f'configs/{folder}/metafile.yml: Convert From: {source} of {item["Name"]} is none of '
                        f'{", ".join(SOURCES)}'
                    )
            models = [model for model in files[folder]['Models'] if model['In Collection'] == collection['Name']]
            (tasks if folder in TASKS else methods).append(method(folder, collection, models))
    sources = table(('`--from`', 'files of'), ((f'`{name}`', source.title) for name, source in SOURCES.items()))
    return '\n\n'.join(
        [
            HEAD.strip(),
            '## Pretraining',
            *methods,
            '## Tasks',
            *tasks,
            '## Weights of other projects',
            TAIL,
            f'{sources}\n',
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing; fail if the page is not up to date')
    args = parser.parse_args()
    text = page()
    if not args.check:
        PAGE.write_text(text)
    elif not PAGE.is_file() or PAGE.read_text() != text:
        sys.exit('docs/model_zoo.md is not what the metafiles and configs say; run python tools/model_zoo.py')


if __name__ == '__main__':
    main()
