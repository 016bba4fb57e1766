"""``init_cfg=dict(type='Pretrained', ...)`` that loads every weight or stops."""

from collections import Counter
from collections.abc import Sequence

from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from .loading import CheckpointError

_SHOWN = 3


@WEIGHT_INITIALIZERS.register_module(name='Pretrained', force=True)
class StrictPretrainedInit(PretrainedInit):
    """Load the weights of a module from a file, all of them.

    It stands in for mmengine's initializer of the same name, which logs what does not fit and goes on with random
    weights. What is known not to fit is said in the config, so that the rest stays checked.

    Args:
        checkpoint (str): File or address, as mmengine's loader takes it.
        prefix (str, optional): Take the keys that begin with it, and remove it. Defaults to None.
        map_location (str): As in ``torch.load``. Defaults to ``'cpu'``.
        unused (Sequence[str]): Beginnings of keys of the file that the module has no use for, such as ``'fc.'`` of a
            classifier. Defaults to ().
        untrained (Sequence[str]): Beginnings of keys of the module that the file does not have and that keep their
            own start, such as ``'norm0'``. Defaults to ().

    Raises:
        CheckpointError: When it is called, if a weight is missing, unexpected or of another shape.
    """

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        map_location: str = 'cpu',
        unused: Sequence[str] = (),
        untrained: Sequence[str] = (),
    ) -> None:
        super().__init__(checkpoint, prefix, map_location)
        self.unused, self.untrained = tuple(unused), tuple(untrained)

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into ``module``."""
        print_log(f'load {self.prefix or "model"} from: {self.checkpoint}', logger='current')
        loaded = CheckpointLoader.load_checkpoint(self.checkpoint, self.map_location, logger='current')
        load_strictly(module, loaded, self.checkpoint, self.prefix or '', self.unused, self.untrained)
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())


def load_strictly(
    module: nn.Module,
    checkpoint: dict,
    path: str,
    prefix: str = '',
    unused: Sequence[str] = (),
    untrained: Sequence[str] = (),
    reason: str | None = None,
) -> None:
    """Load a checkpoint into a module, every weight.

    Args:
        module (nn.Module): Receives the weights.
        checkpoint (dict): The loaded file; its weights stand in ``state_dict``, or at its top.
        path (str): Where it came from, for messages.
        prefix (str): Keep the keys that begin with it, and remove it. Defaults to ``''``.
        unused (Sequence[str]): Beginnings of keys of the file that may be left over. Defaults to ().
        untrained (Sequence[str]): Beginnings of keys of the module that may be absent. Defaults to ().
        reason (str, optional): What to say of a file that does not fit. Defaults to None: the likely reason, of a part
            of a model.

    Raises:
        CheckpointError: If a weight is missing, unexpected or of another shape; it says which, and the likely reason.
    """
    state = checkpoint.get('state_dict', checkpoint)
    state = {name.removeprefix('module.'): value for name, value in state.items() if isinstance(value, Tensor)}
    taken = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    taken = {name: value for name, value in taken.items() if not name.startswith(tuple(unused))}
    own = module.state_dict()
    try:
        missing, unexpected = module.load_state_dict(taken, strict=False)
    except RuntimeError as error:
        missing, unexpected = sorted(own.keys() - taken.keys()), sorted(taken.keys() - own.keys())
        other_shape = {name for name in own.keys() & taken.keys() if own[name].shape != taken[name].shape}
        shapes = [f'{name} {tuple(taken[name].shape)}, not {tuple(own[name].shape)}' for name in sorted(other_shape)]
        if not shapes:
            raise CheckpointError(f'{path} cannot be loaded into {type(module).__name__}: {error}') from error
    else:
        shapes = []
    # A count of batches is no weight; older files do not hold it.
    missing = [name for name in missing if not name.startswith(tuple(untrained)) and 'num_batches' not in name]
    problems = [
        f'{len(names)} {what} ({", ".join(names[:_SHOWN])}{", ..." if len(names) > _SHOWN else ""})'
        for what, names in (('missing', missing), ('unexpected', unexpected), ('of another shape', shapes))
        if names
    ]
    if problems:
        reason = reason or _likely_reason(type(module).__name__, own, state, taken, checkpoint, path, prefix)
        raise CheckpointError(
            f'{path} does not fit this {type(module).__name__}, its weights are {", ".join(problems)}: {reason}'
        )


def _likely_reason(module: str, own: dict, state: dict, taken: dict, checkpoint: dict, path: str, prefix: str) -> str:
    """Say why a file does not fit, and what to do."""
    if not taken:
        return f'none of its keys begins with prefix={prefix!r}; correct the prefix'
    inside = {name.split('.')[0] for name in state}
    if not prefix and 'backbone' in inside:
        if 'teacher' in inside:
            return f'it is a training checkpoint; run tools/extract_backbone.py {path} OUT and give OUT instead'
        return "it is a whole model of which this is one part; add prefix='backbone.' to init_cfg"
    if own.keys() & taken.keys():
        trained = checkpoint.get('meta', {}).get('backbone')
        parts, others = ({name.split('.')[0] for name in names} for names in (own, taken.keys() - own.keys()))
        fits = own.keys() <= taken.keys() and all(own[name].shape == taken[name].shape for name in own)
        if fits and not parts & others:
            return (
                'it has all weights of this module and other parts besides; name those that are not needed in '
                "init_cfg's unused=(...)"
            )
        said = f' (the file says {trained})' if trained else ''
        return f'it was trained with another architecture{said}; make the depth, width and stages of both the same'
    begin = Counter(name.split('.')[0] + '.' for name in taken).most_common(1)[0][0]
    return (
        f"its keys begin with {begin!r}, as another method's or library's do, those of {module} with "
        f'{next(iter(own)).split(".")[0] + "."!r}; run tools/convert_checkpoint.py {path} OUT and give OUT, or correct '
        'the prefix in init_cfg'
    )
