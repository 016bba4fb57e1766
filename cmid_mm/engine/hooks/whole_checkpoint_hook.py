"""Checkpoints that are whole or not there."""

import math
import os
import re
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from cmid_mm.checkpoints import CheckpointError
from cmid_mm.checkpoints.resuming import check_same_config, newest_whole, superseded
from cmid_mm.checkpoints.writing import remove_unfinished, replacing

_BACKEND = 'whole_files'
_WRITTEN = 'checkpoints'  # names of the run's checkpoints, in the message hub and so in each of them
_BEST = 'best_checkpoint'  # name and score
_WITHIN_EPOCH = 'iter_{}.pth'


class WholeFilesBackend(LocalBackend):
    """mmengine's local files, each put into its place in one step."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Write a file.

        Raises:
            CheckpointError: If that fails, such as on a full disk. What was at ``filepath`` is still there.
        """
        path = Path(filepath)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as unfinished:
                unfinished.write_bytes(obj)
        except OSError as error:
            raise CheckpointError(
                f'{path} of {len(obj)} bytes could not be written ({error.strerror}); the checkpoints before it are '
                'whole: make room, and go on with --resume'
            ) from error


register_backend(_BACKEND, WholeFilesBackend, force=True)


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` for runs that may be killed at any moment, on disks that may be full.

    - A checkpoint is written under another name, brought to the disk, and renamed: it is whole or not there. An older
      one is removed after that, never before.
    - ``resume=True`` without ``load_from`` takes the checkpoint that was written last, of those whose checksums fit; a
      damaged one is named in the log. With ``load_from`` that one is taken or refused.
    - A checkpoint of another config is refused by the name of the first setting that differs.
    - Kept are the last ``max_keep_ckpts``, those of every ``keep_every`` epochs, and the best by ``keep_best``. Only
      files that this run has written, before and after it was resumed, are ever removed.

    ``save_best`` of mmengine, which writes another file after a validation loop, works as there.

    Args:
        keep_every (int, optional): Keep the checkpoints of every so many epochs (iterations if ``by_epoch=False``) for
            ever. Defaults to None: none.
        keep_best (str, optional): Keep the checkpoint with the highest value of this scalar of the message hub, such as
            ``'knn/teacher'``; the file ``best_checkpoint`` of the work folder names it. Defaults to None.
        same (Sequence[str]): Settings that a resumed run must share with its checkpoint; see
            :func:`~cmid_mm.checkpoints.resuming.check_same_config`. Defaults to the model, the optimizer, and the batch
            of a process.
        **kwargs: As ``CheckpointHook``; checkpoints lie in local files.

    Raises:
        CheckpointError: If a checkpoint cannot be written, or none can be resumed from.
    """

    def __init__(
        self,
        keep_every: int | None = None,
        keep_best: str | None = None,
        same: Sequence[str] = ('model', 'optim_wrapper', 'train_dataloader.batch_size'),
        **kwargs: Any,
    ) -> None:
        super().__init__(backend_args=dict(backend=_BACKEND), **kwargs)
        if keep_every is not None and keep_every < 1:
            raise ValueError(f'keep_every of WholeCheckpointHook is {keep_every}; it must be 1 or more')
        self.keep_every = keep_every
        self.keep_best = keep_best
        self.same = tuple(same)
        self.written: list[str] = []
        self.best: tuple[str, float] | None = None

    # ---- resuming

    def before_run(self, runner: Runner) -> None:
        """Choose what to resume from, where the config leaves it open."""
        if not runner._resume or runner._load_from is not None:
            return
        folder = Path(self.out_dir) / Path(runner.work_dir).name if self.out_dir else Path(runner.work_dir)
        answer = [self._newest(folder, runner) if is_main_process() else None]
        broadcast_object_list(answer)
        if isinstance(answer[0], CheckpointError):
            raise answer[0]
        if answer[0] is None:
            runner.logger.info(f'{folder} has no checkpoint to resume from: the run begins anew')
            runner._resume = False
        runner._load_from = answer[0]

    def _newest(self, folder: Path, runner: Runner) -> str | CheckpointError | None:
        patterns = [escape(template).format('*') for template in (self.filename_tmpl, _WITHIN_EPOCH)]
        try:
            path, damaged = newest_whole(folder, patterns)
        except CheckpointError as error:
            return error
        for sentence in damaged:
            runner.logger.warning(f'passed over: {sentence}')
        return None if path is None else str(path)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to resume from a checkpoint of another config."""
        if not runner._resume:
            return
        meta = checkpoint.get('meta', {})
        if not {'epoch', 'iter'} <= meta.keys() or 'optimizer' not in checkpoint:
            raise CheckpointError(
                f'{runner._load_from} holds weights alone, without the optimizer and the position of a run; give it as '
                'load_from without --resume'
            )
        meta.pop('config', None)  # Runner.resume would run its text as Python
        if 'cfg' in meta:
            check_same_config(runner._load_from, meta['cfg'], runner.cfg.pretty_text, self.same)

    # ---- saving

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        folder = Path(self.out_dir)
        if runner._resume and Path(runner._load_from).resolve().parent == folder.resolve():
            self.written = list(runner.message_hub.get_info(_WRITTEN, ()))
            self.best = runner.message_hub.get_info(_BEST)
        else:  # files of these names, if there are any, are of another run
            self.written, self.best = [], None
        if is_main_process():
            for path in remove_unfinished(folder):
                runner.logger.info(f'removed {path}, which a killed run was writing')
        self._remove_superseded()

    def save_within_epoch(self, runner: Runner) -> str:
        """Save after this iteration, whatever the interval is; return the path."""
        done = runner.iter + 1
        self._save(runner, _WITHIN_EPOCH.format(done), dict(epoch=runner.epoch, iter=done))
        return self.last_ckpt

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._save(runner, self.filename_tmpl.format(step), meta)

    def _save(self, runner: Runner, name: str, meta: dict) -> None:
        self.last_ckpt = str(Path(self.out_dir) / name)
        if name not in self.written:
            self.written.append(name)
        self._compare_with_best(runner, name)
        runner.message_hub.update_info(_WRITTEN, list(self.written))
        runner.message_hub.update_info(_BEST, self.best)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            backend_args=self.backend_args,
            **self.args,
        )
        self._point_to(runner, 'last_checkpoint', name)
        if self.best is not None:
            self._point_to(runner, _BEST, self.best[0])
        self._remove_superseded()

    def _compare_with_best(self, runner: Runner, name: str) -> None:
        if self.keep_best is None or self.keep_best not in runner.message_hub.log_scalars:
            return
        score = float(runner.message_hub.get_scalar(self.keep_best).current())
        if score > (-math.inf if self.best is None else self.best[1]):  # never nan
            self.best = name, score

    def _point_to(self, runner: Runner, pointer: str, name: str) -> None:
        if is_main_process():
            self.file_backend.put(str(Path(self.out_dir) / name).encode(), Path(runner.work_dir) / pointer)

    def _remove_superseded(self) -> None:
        kept = {name for name in self.written if self._is_kept_for_ever(name)} | {(self.best or ('',))[0]}
        for name in superseded(self.written, self.max_keep_ckpts, kept):
            self.written.remove(name)
            if is_main_process():
                (Path(self.out_dir) / name).unlink(missing_ok=True)

    def _is_kept_for_ever(self, name: str) -> bool:
        step = re.fullmatch(re.escape(self.filename_tmpl).replace(r'\{\}', r'(\d+)'), name)
        return self.keep_every is not None and step is not None and int(step[1]) % self.keep_every == 0

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """As mmengine, but remove the file of the best so far after the better one is written."""
        if not self.save_best:
            return
        single = len(self.key_indicators) == 1
        before = dict(best=self.best_ckpt_path) if single else dict(self.best_ckpt_path_dict)
        self._set_best_files(dict.fromkeys(before), single)  # mmengine then has nothing to remove
        super()._save_best_checkpoint(runner, metrics)
        after = dict(best=self.best_ckpt_path) if single else dict(self.best_ckpt_path_dict)
        self._set_best_files({name: path or before[name] for name, path in after.items()}, single)
        for name, path in before.items():
            if path and after[name] and path != after[name] and is_main_process():
                Path(path).unlink(missing_ok=True)

    def _set_best_files(self, files: dict[str, str | None], single: bool) -> None:
        if single:
            self.best_ckpt_path = files['best']
        else:
            self.best_ckpt_path_dict = files
