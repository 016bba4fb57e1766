import json

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from cmid_mm.engine.hooks.progress_hook import ProgressBarHook


class _Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, inputs, data_samples=None, mode='loss'):
        return {'loss': (self.weight * torch.stack(inputs)).mean()}


class _Items(torch.utils.data.Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        return {'inputs': torch.ones(1)}


def _run(work_dir, **runner_options) -> None:
    Runner(
        model=_Line(),
        work_dir=str(work_dir),
        train_dataloader={
            'dataset': _Items(),
            'batch_size': 2,
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        },
        train_cfg={'by_epoch': True, 'max_epochs': 2},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.0}},
        default_hooks={'logger': {'type': 'LoggerHook', 'interval': 2}, 'checkpoint': None},
        default_scope='mmengine',
        **runner_options,
    ).train()


def test_lines_replace_the_log_on_the_console_but_not_in_the_files(tmp_path, capfd):
    _run(tmp_path, custom_hooks=[ProgressBarHook(every_seconds=0)], experiment_name='bar')
    shown = capfd.readouterr().out
    assert 'pretraining: 1/12' in shown
    assert 'pretraining: 12/12 in 0:0' in shown
    assert ', loss 1' in shown
    assert 'Epoch(train)' not in shown
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert log.count('Epoch(train)') == 6
    scalars = next(tmp_path.glob('*/vis_data/scalars.json')).read_text().splitlines()
    assert [json.loads(line)['loss'] for line in scalars] == [1.0] * 6
