"""k-nearest-neighbour accuracy of the backbones while they are trained."""

from pathlib import Path

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.model import ExponentialMovingAverage, revert_sync_batchnorm
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from mmpretrain.utils import get_ori_model
from torch import nn

from cmid_mm.checkpoints.config_text import pixels_of_config
from cmid_mm.checkpoints.plain_forms import plain_form
from cmid_mm.datasets.seeding import seeded
from cmid_mm.models.selfsup import TeacherStudent
from cmid_mm.visualization.progress import ProgressBar


@HOOKS.register_module()
class OnlineKNNHook(Hook):
    """Scores student and teacher on labelled images every few epochs, as ``knn/student`` and ``knn/teacher``.

    A fifth of each class is held back, and each of its images gets the class of most of its 10 nearest others by the
    cosine of pooled features (:func:`cmid_mm.evaluation.knn_accuracy`). The features are those of the plain backbone
    that ``tools/extract_backbone.py`` would write, in float32. The main process computes and the others wait; the
    model that is trained and all random generators are left alone, so that a run is the same with and without it.

    The accuracies, from 0 to 1, go to all visualizer backends and, on every process, to the message hub. mmengine's
    ``CheckpointHook(save_best=...)`` cannot see them, because it looks at validation loops alone;
    ``WholeCheckpointHook(keep_best='knn/teacher')`` does.

    Args:
        data_root (str): Folder with a sub-folder of images for each class.
        interval (int): Epochs between two scores; the last epoch is always scored. Defaults to 5.
        size (int, optional): Side in pixels that images are squeezed to. Defaults to None: ``size`` of the config.
        most (int): Of more images, so many are drawn at random. They stay in memory. Defaults to 2000.
        batch_size (int): Images a forward pass. Defaults to 64.

    Raises:
        ValueError: If the folder holds no classes or too few images, or the images are not of three channels.
    """

    def __init__(
        self,
        data_root: str,
        interval: int = 5,
        size: int | None = None,
        most: int = 2000,
        batch_size: int = 64,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval of OnlineKNNHook is {interval}; it must be 1 or more')
        self.data_root = data_root
        self.interval = interval
        self.size = size
        self.most = most
        self.batch_size = batch_size

    def before_train(self, runner: Runner) -> None:
        """Read the images, before a step is lost on a folder that cannot be scored."""
        problem = None
        try:
            self._read(runner)
        except ValueError as error:
            problem = str(error)
        problems = [problem for problem in all_gather_object(problem) if problem]
        if problems:
            raise ValueError(f'OnlineKNNHook: {problems[0]}')

    def after_train_epoch(self, runner: Runner) -> None:
        """Score, if it is time."""
        if not self.every_n_epochs(runner, self.interval) and not self.is_last_train_epoch(runner):
            return
        scores = [self._score(runner) if is_main_process() else None]
        broadcast_object_list(scores)
        for name, score in scores[0].items():
            runner.message_hub.update_scalar(name, score)
        runner.visualizer.add_scalars(scores[0], step=runner.iter)
        shown = ', '.join(f'{name} {score:.2%}' for name, score in scores[0].items())
        runner.logger.info(f'epoch {runner.epoch + 1}, accuracy of nearest neighbours: {shown}')

    def _read(self, runner: Runner) -> None:
        # scikit-learn takes a second to import, which runs without this hook need not wait for.
        from cmid_mm.evaluation import read_image_set

        pixels = pixels_of_config(runner.cfg.to_dict())
        self._normalisation = pixels.get('normalisation', {})
        if len(self._normalisation.get('mean', ())) != 3:
            raise ValueError('images of classes are read as RGB, and this config does not normalise three channels')
        self._is_bgr = pixels['channel_order'] == 'BGR'
        size = self.size or runner.cfg.get('size', 224)
        cache = Path(runner.work_dir) / 'knn_index'
        # All processes index the folder together; one needs its images.
        count = dict(most=self.most) if is_main_process() else dict(fewest=1, most=1)
        self._images = read_image_set(self.data_root, size, cache, ProgressBar, **count)
        if is_main_process() and self._images.labels is None:
            raise ValueError(
                f'{self.data_root} has no two sub-folders of 5 or more images that could be classes; give a folder of '
                'class folders'
            )

    def _score(self, runner: Runner) -> dict[str, float]:
        from cmid_mm.evaluation import extract_features, knn_accuracy

        images = self._images
        pixels = images.pixels[..., ::-1] if self._is_bgr else images.pixels
        rows = (images.scored, images.test)
        scores = {}
        with seeded(0):
            for name, backbone in _backbones(get_ori_model(runner.model)).items():
                plain = _plain_copy(backbone, runner.cfg.model.backbone.to_dict())
                device = next(plain.parameters()).device
                features = extract_features(
                    plain, list(pixels), pixels.shape[1], self.batch_size, device, **self._normalisation
                ).values
                split = [part for row in rows for part in (features[row], images.labels[row])]
                scores[f'knn/{name}'] = knn_accuracy(*split, k=min(10, len(images.scored)))
        return scores


def _backbones(model: nn.Module) -> dict[str, nn.Module]:
    """The student, and the teacher if there is one; mmpretrain's teachers are averages of backbone and neck."""
    found = dict(student=model.backbone)
    if isinstance(model, TeacherStudent):
        found['teacher'] = model.teacher
    for module in model.children():
        if isinstance(module, ExponentialMovingAverage):
            found['teacher'] = module.module[0]
    return found


def _plain_copy(backbone: nn.Module, cfg: dict) -> nn.Module:
    """The backbone as tasks take it, on the same device."""
    form = plain_form(type(backbone), cfg)
    plain = revert_sync_batchnorm(MODELS.build({**form.plain, 'init_cfg': None}))
    state = backbone.state_dict()
    plain.load_state_dict({name: value for name, value in state.items() if name not in form.tensors})
    return plain.to(next(backbone.parameters()).device)
