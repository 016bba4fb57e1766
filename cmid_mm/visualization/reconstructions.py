"""What the network paints where the image was masked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

TITLES = ('image', 'what the network saw', 'reconstruction', 'pasted into the mask')


def to_uint8(images: np.ndarray, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """Undo the normalisation.

    Args:
        images (np.ndarray): ``(B, 3, H, W)``, normalised RGB.
        mean (Sequence[float]): Of the three channels, 0 to 255.
        std (Sequence[float]): Of the three channels, 0 to 255.

    Returns:
        np.ndarray: ``(B, H, W, 3)`` uint8, clipped to 0 to 255.
    """
    pixels = images.transpose(0, 2, 3, 1) * np.asarray(std) + np.asarray(mean)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def paste(image: np.ndarray, reconstruction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Take the reconstruction where the mask is 1 and the image elsewhere.

    Args:
        image (np.ndarray): ``(B, H, W, 3)``.
        reconstruction (np.ndarray): ``(B, H, W, 3)``.
        mask (np.ndarray): ``(B, h, w)``, 1 = masked; H and W are multiples of h and w.

    Returns:
        np.ndarray: ``(B, H, W, 3)``.

    Raises:
        ValueError: The shapes do not fit.
    """
    if image.shape != reconstruction.shape or image.shape[1] % mask.shape[1] or image.shape[2] % mask.shape[2]:
        raise ValueError(
            f'Image {image.shape}, reconstruction {reconstruction.shape} and mask {mask.shape} do not fit together; '
            'the mask must divide the image.'
        )
    pixels = np.ones((1, image.shape[1] // mask.shape[1], image.shape[2] // mask.shape[2]))
    return np.where(np.kron(mask, pixels)[..., None] > 0, reconstruction, image)


def draw_reconstructions(
    images: np.ndarray, masked: np.ndarray, reconstructions: np.ndarray, mask: np.ndarray, out: str | Path
) -> None:
    """Draw a row an image: itself, what the network saw, its reconstruction, and that pasted into the mask.

    Args:
        images (np.ndarray): ``(B, H, W, 3)`` uint8.
        masked (np.ndarray): ``(B, H, W, 3)`` uint8.
        reconstructions (np.ndarray): ``(B, H, W, 3)`` uint8.
        mask (np.ndarray): ``(B, h, w)``, 1 = masked.
        out (str | Path): Picture to write.
    """
    columns = (images, masked, reconstructions, paste(images, reconstructions, mask))
    figure = Figure(figsize=(8, 2.02 * len(images) + 0.25), layout='constrained')
    panels = figure.subplots(len(images), len(columns), squeeze=False)
    for row, pictures in zip(panels, zip(*columns, strict=True), strict=True):
        for panel, picture in zip(row, pictures, strict=True):
            panel.imshow(picture)
            panel.set_axis_off()
    for panel, title in zip(panels[0], TITLES, strict=True):
        panel.set_title(title, fontsize=10)
    figure.savefig(out, dpi=110)
