"""Which cells of two views of one image show the same place (CMID, Muhtar et al., TGRS 2023).

The local branch of CMID compares a student's cell of one view with the teacher's cell of the other
view that lies nearest on the ground, for the pairs that lie nearest of all.
"""

import torch
from torch import Tensor

# Distances are compared in steps of a millionth of a pixel. Crops of equal size make whole rows of
# pairs equally far apart; without the step, rounding in the last bit would choose among them.
STEPS_PER_PIXEL = 1e6


@torch.no_grad()
def match_cells(positions_a: Tensor, positions_b: Tensor, num_matches: int) -> tuple[Tensor, Tensor]:
    """Pair cells of view a with their nearest cells of view b and keep the closest pairs.

    For each cell of a the nearest cell of b by the Euclidean distance of the centres is found; the
    ``num_matches`` pairs of smallest distance are kept. Distances that differ by less than a
    millionth of a pixel are ties, and ties go to the lower index, both among the cells of b and
    among the pairs. A cell of b may be matched more than once. Nothing is copied to the host, and
    the result is the same on CPU and GPU.

    Args:
        positions_a (Tensor): Cell centres (row, column) of the first view, shape (B, N, N, 2), in
            pixels of the image that both views were cut from.
        positions_b (Tensor): The same of the second view, shape (B, N, N, 2).
        num_matches (int): Number of pairs M to keep for each image, at most N * N.

    Returns:
        tuple[Tensor, Tensor]: Flat cell indices (row * N + column) in a and in b, both int64 of
        shape (B, M), in ascending order of the index in a, as in the authors' code.

    Raises:
        ValueError: If the shapes are not as above or ``num_matches`` does not fit them.
    """
    for name, positions in (('positions_a', positions_a), ('positions_b', positions_b)):
        if positions.ndim != 4 or positions.shape[-1] != 2:
            raise ValueError(f'{name} has shape {tuple(positions.shape)}; give cell centres of shape (B, N, N, 2).')
    if len(positions_a) != len(positions_b):
        raise ValueError(
            f'positions_a holds {len(positions_a)} images and positions_b {len(positions_b)}; '
            'give two views of the same images.'
        )
    rows, columns = positions_a.shape[1:3]
    if not 1 <= num_matches <= rows * columns:
        raise ValueError(
            f'num_matches={num_matches} does not fit views of {rows} x {columns} cells; '
            f'choose 1 to {rows * columns} or larger views.'
        )

    # Differences rather than torch.cdist: above 25 cells that multiplies matrices and loses digits.
    cells_a = positions_a.double().flatten(1, 2)
    cells_b = positions_b.double().flatten(1, 2)
    offsets = cells_a[:, :, None] - cells_b[:, None]
    steps = (offsets.square().sum(-1).sqrt() * STEPS_PER_PIXEL).round().long()

    # An index appended to each distance makes all keys of a row different, so min and topk have one
    # answer.
    num_a, num_b = cells_a.shape[1], cells_b.shape[1]
    nearest = (steps * num_b + torch.arange(num_b, device=steps.device)).amin(-1)
    distance = nearest.div(num_b, rounding_mode='floor')
    order = distance * num_a + torch.arange(num_a, device=steps.device)
    index_a = order.topk(num_matches, largest=False, sorted=False).indices.sort(-1).values
    index_b = nearest.remainder(num_b).gather(1, index_a)
    return index_a, index_b
