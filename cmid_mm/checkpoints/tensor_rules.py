"""What must be done to the values of a converted backbone, where another name is not enough.

Every function takes a state dict under mmpretrain's names and returns a new one.
"""

import torch
from timm.layers import resize_rel_pos_bias_table
from torch import Tensor
from torch.nn.functional import pad

State = dict[str, Tensor]

_BIAS_TABLE = '.relative_position_bias_table'
# What a Swin Transformer computes from its window size when it is built.
POSITION_INDEX = '.relative_position_index'


def order_patch_merging(state: State) -> State:
    """Put the channels that patch merging joins into mmpretrain's order.

    The authors of Swin, timm and torchvision join the four neighbours of a cell column by column, each with all its C
    channels; mmpretrain joins, channel by channel, the four neighbours row by row (``torch.nn.Unfold``).
    """

    def reorder(name: str, value: Tensor) -> Tensor:
        if '.downsample.' not in name:
            return value
        neighbours = value.unflatten(-1, (2, 2, -1))  # (..., columns, rows, C)
        return neighbours.transpose(-3, -1).flatten(-3)  # (..., C, rows, columns)

    return {name: reorder(name, value) for name, value in state.items()}


def join_query_and_value_bias(state: State) -> State:
    """Write the separate biases of queries and values as one of queries, keys and values, with zeros for keys.

    A bias of keys adds the same to all logits of a query, so it has no effect and none is lost.
    """
    joined = {name: value for name, value in state.items() if not name.endswith(('.q_bias', '.v_bias'))}
    for name, query in state.items():
        attention = name.removesuffix('q_bias')
        value = state.get(f'{attention}v_bias')
        if name.endswith('.q_bias') and value is not None:
            joined[f'{attention}qkv.bias'] = torch.cat([query, torch.zeros_like(query), value])
    return joined


def flip_stem(state: State) -> State:
    """Let a first convolution of BGR images take RGB ones, or the reverse."""
    return {name: value.flip(1) if name == 'conv1.weight' else value for name, value in state.items()}


def pad_parallel_convolutions(state: State, kernel_size: int) -> State:
    """Put the kernels of ViTAE's parallel convolutions into the middle of larger ones of zeros: the same function."""

    def padded(name: str, value: Tensor) -> Tensor:
        if '.pcm.' not in name or value.dim() != 4:
            return value
        border = (kernel_size - value.shape[-1]) // 2
        return pad(value, (border,) * 4) if border > 0 else value

    return {name: padded(name, value) for name, value in state.items()}


def resize_windows(state: State, window_size: int) -> State:
    """Resize the biases by relative position of a Swin Transformer to another window size, as timm does.

    mmpretrain's own resizing on loading calls a function that SciPy 1.14 removed.
    """
    rows = (2 * window_size - 1) ** 2

    def resized(name: str, value: Tensor) -> Tensor:
        if not name.endswith(_BIAS_TABLE) or value.shape[0] == rows:
            return value
        return resize_rel_pos_bias_table(value.float(), (window_size, window_size), (rows, value.shape[1]))

    return {name: resized(name, value) for name, value in state.items()}


def without_position_index(state: State) -> State:
    """Leave out what a Swin Transformer computes itself, in whatever shape it was saved."""
    return {name: value for name, value in state.items() if not name.endswith((POSITION_INDEX, '.attn_mask'))}
