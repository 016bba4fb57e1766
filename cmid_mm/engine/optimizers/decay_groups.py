"""Two groups of parameters: with and without weight decay."""

from mmcv.cnn.bricks.norm import is_norm
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DecayGroupsConstructor(DefaultOptimWrapperConstructor):
    """Exempt biases and the weights of norm layers from weight decay (CMID spec, section 5).

    The same as mmengine's constructor with ``bias_decay_mult=0, norm_decay_mult=0``, but in two groups instead of
    one for each parameter, so that optimizers can update many tensors at once, and without a log line for each.
    Parameters that take no gradient, such as a teacher's, are left out. ``paramwise_cfg`` is not supported.

    Raises:
        ValueError: If ``paramwise_cfg`` asks for anything.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        if paramwise_cfg:
            raise ValueError(
                f'optim_wrapper.paramwise_cfg={paramwise_cfg} has no effect with DecayGroupsConstructor; '
                "set optim_wrapper.constructor='DefaultOptimWrapperConstructor' to use it"
            )
        super().__init__(optim_wrapper_cfg, dict(bias_decay_mult=0.0, norm_decay_mult=0.0))

    def add_params(self, params: list[dict], module: nn.Module, **kwargs) -> None:
        """Append the two groups to ``params``; a group without parameters is left out."""
        decay, no_decay = {}, {}
        for owner_name, owner in module.named_modules():
            for name, parameter in owner.named_parameters(prefix=owner_name, recurse=False):
                if parameter.requires_grad:
                    exempt = name.endswith('bias') or is_norm(owner)
                    (no_decay if exempt else decay)[name] = parameter
        params += [
            dict(params=list(group.values()), **options)
            for group, options in ((decay, {}), (no_decay, dict(weight_decay=0.0)))
            if group
        ]
