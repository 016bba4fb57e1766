"""Predictions on tiles -> the files that DOTA's evaluation server takes."""

import re
from collections.abc import Sequence
from pathlib import Path

from mmrotate.evaluation import DOTAMetric
from mmrotate.registry import METRICS

TILE = re.compile(r'__\d+__\d+___\d+$')


@METRICS.register_module()
class DOTASubmission(DOTAMetric):
    """Merge the boxes of tiles to those of whole images and write them for DOTA's Task 1 (oriented boxes).

    It writes ``out/Task1_<class>.txt`` with lines ``image score x1 y1 ... x4 y4``, and all of them in one zip file
    named after ``out``. It is mmrotate's ``DOTAMetric`` with ``merge_patches``, which would find what is refused here
    only after all images were predicted. No score is computed.

    Args:
        out (str): Folder to write, which must not exist.
        iou_thr (float): Boxes of a class that overlap by more are one, the best. Defaults to 0.1.
        **kwargs: As mmrotate's ``DOTAMetric``.

    Raises:
        FileExistsError: If ``out`` exists.
        ValueError: When a prediction comes whose image is no tile by its name.
    """

    def __init__(self, out: str, iou_thr: float = 0.1, **kwargs) -> None:
        if Path(out).exists():
            raise FileExistsError(
                f'{out}, the folder of the submission, exists; name another in DOTASubmission(out=...)'
            )
        super().__init__(format_only=True, merge_patches=True, outfile_prefix=str(out), iou_thr=iou_thr, **kwargs)

    def process(self, data_batch: Sequence[dict], data_samples: Sequence[dict]) -> None:
        """Keep the predictions of a batch."""
        for sample in data_samples:
            if not TILE.search(sample['img_id']):
                raise ValueError(
                    f'{sample["img_path"]} is no tile, whose name would say its place as P0001__1024__0___824 does '
                    '(size, left, top); cut the images to tiles, or use DOTAMetric'
                )
        super().process(data_batch, data_samples)
