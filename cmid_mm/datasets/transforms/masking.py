"""Random block masks for masked image modelling (CMID, Muhtar et al., TGRS 2023, after SimMIM)."""

import numpy as np
from mmpretrain.datasets.transforms import SimMIMMaskGenerator
from mmpretrain.registry import TRANSFORMS


@TRANSFORMS.register_module()
class BlockMask(SimMIMMaskGenerator):
    """Mask ceil(ratio * blocks) of the square blocks of a view, drawn anew at each call.

    mmpretrain's ``SimMIMMaskGenerator`` draws exactly this mask from ``np.random``. Added here:
    errors that say what to do, and one byte a value instead of eight on the way to the model. At
    the defaults 30 of 49 blocks are masked.

    **Added Keys:** mask, uint8 (size / patch_size, size / patch_size), 1 = masked; masked_cells, int64 (n, ), the
    row-major places of the masked blocks, if ``cell_positions`` are there and each cell is one block.

    Args:
        size (int): Side of the view in pixels. Defaults to 224.
        block_size (int): Side of a block in pixels. Defaults to 32.
        patch_size (int): Pixels of the view a value of the mask, the stride of the model's stem.
            Defaults to 4.
        ratio (float): Share of masked blocks, 0 to 1. Defaults to 0.6.

    Raises:
        ValueError: If the sizes do not divide each other or ``ratio`` is no share.
    """

    def __init__(self, size: int = 224, block_size: int = 32, patch_size: int = 4, ratio: float = 0.6) -> None:
        if min(size, block_size, patch_size) < 1 or size % block_size or block_size % patch_size:
            raise ValueError(
                f'BlockMask: size={size}, block_size={block_size}, patch_size={patch_size}; choose '
                'a size that is a multiple of block_size, and that of patch_size.'
            )
        if not 0 <= ratio <= 1:
            raise ValueError(f'BlockMask: ratio={ratio}; give the masked share, 0 to 1.')
        super().__init__(
            input_size=size,
            mask_patch_size=block_size,
            model_patch_size=patch_size,
            mask_ratio=ratio,
        )

    def transform(self, results: dict) -> dict:
        """Add ``mask`` and, where they exist, ``masked_cells``."""
        results = super().transform(results)
        mask = results['mask'] = results['mask'].astype(np.uint8)
        if 'cell_positions' in results and results['cell_positions'].shape[:2] == (self.rand_size, self.rand_size):
            results['masked_cells'] = np.flatnonzero(mask[:: self.scale, :: self.scale])
        return results
