"""Masks of segmentation and change, checked pixel by pixel."""

from collections.abc import Mapping

import mmcv
import numpy as np
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

IGNORED = 255


@TRANSFORMS.register_module()
class LoadLabelMap(LoadAnnotations):
    """Load a mask as mmseg's ``LoadAnnotations`` does, and refuse labels that are no class.

    The dataset's ``reduce_zero_label`` and ``label_map`` apply first, then ``mapping``; what comes out is a class
    from 0 to ``num_classes - 1``, or 255, which losses and metrics ignore.

    Args:
        num_classes (int): Classes of the mask.
        mapping (Mapping[int, int], optional): Labels to replace, for example ``{255: 1}`` where change is written as
            255. Defaults to None.

    Raises:
        ValueError: If a mask has several channels, or a label that is neither a class nor ignored.
    """

    def __init__(self, num_classes: int, mapping: Mapping[int, int] | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.mapping = dict(mapping or {})

    def _load_seg_map(self, results: dict) -> None:
        path = results['seg_map_path']
        raw = mmcv.imfrombytes(
            fileio.get(path, backend_args=self.backend_args), flag='unchanged', backend=self.imdecode_backend
        )
        if raw.ndim != 2:
            raise ValueError(
                f'{path} is a picture of {raw.shape[-1]} channels and must be a mask of one, the class of each pixel; '
                "convert it with the data set's tool in tools/datasets/"
            )
        if raw.dtype == bool:  # a PNG of one bit
            raw = raw.astype(np.uint8)
        table = self._table(results)
        # Of bytes, counting takes a tenth of the time of sorting.
        present = np.flatnonzero(np.bincount(raw.ravel())) if raw.dtype == np.uint8 else np.unique(raw)
        known = present[(present >= 0) & (present <= IGNORED)]
        unknown = [*present[(present < 0) | (present > IGNORED)], *known[table[known] < 0]]
        if unknown:
            raise ValueError(
                f'{path} has pixels of the labels {sorted(map(int, unknown))}, none of the {self.num_classes} classes '
                f'nor the ignored {IGNORED}; correct the mask, or map them in LoadLabelMap(mapping=...)'
            )
        results['gt_seg_map'] = table[raw].astype(np.uint8)
        results['seg_fields'].append('gt_seg_map')

    def _table(self, results: dict) -> np.ndarray:
        """What each of the 256 labels becomes, (256,); -1 where it is not allowed."""
        labels = np.arange(IGNORED + 1)
        if results['reduce_zero_label']:
            labels = np.where((labels == 0) | (labels == IGNORED), IGNORED, labels - 1)
        for replacements in (results.get('label_map') or {}, self.mapping):
            labels = np.array([replacements.get(label, label) for label in labels.tolist()])
        labels[(labels >= self.num_classes) & (labels != IGNORED)] = -1
        return labels
