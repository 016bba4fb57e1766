"""What the network paints where the image was masked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from mmpretrain.registry import TRANSFORMS
from torch import nn

from cmid_mm.checkpoints import Network
from cmid_mm.checkpoints.components import dicts_in
from cmid_mm.datasets import seeded

from .panels import draw_bar, outlined_text, panels_and_bars

TITLES = ('image', 'what the network saw', 'reconstruction', 'pasted into the mask')
DETAILS = ('error', 'spectrum, image', 'spectrum, reconstr.')
LARGEST_ERROR = 100  # levels; errors beyond it are rare and look alike


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
    return np.where(enlarge_mask(mask, image)[..., None], reconstruction, image)


def enlarge_mask(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Which pixels ``(B, H, W)`` of images ``(B, H, W, 3)`` masks ``(B, h, w)`` hide; h and w divide H and W."""
    return np.kron(mask, np.ones((1, image.shape[1] // mask.shape[1], image.shape[2] // mask.shape[2]))) > 0


def log_amplitude(images: np.ndarray) -> np.ndarray:
    """Compute the amplitude of each spatial frequency, as the frequency loss of CMID sees it, in decimal logarithms.

    Args:
        images (np.ndarray): ``(B, H, W, 3)``, levels 0 to 255.

    Returns:
        np.ndarray: ``(B, H, W)``, log10(1 + amplitude) of the orthonormal FFT, averaged over the channels; the mean of
        the image (frequency 0) is at ``[H // 2, W // 2]``.
    """
    spectrum = np.fft.fft2(images.astype(np.float64), axes=(1, 2), norm='ortho')
    return np.fft.fftshift(np.log10(1 + np.abs(spectrum)).mean(axis=-1), axes=(1, 2))


def reconstruct(network: Network, pixels: np.ndarray, device: str = 'cpu', seed: int = 0) -> tuple[np.ndarray, ...]:
    """Mask images as in training and let the network paint them.

    Args:
        network (Network): What :func:`~cmid_mm.checkpoints.load_pretraining` returns.
        pixels (np.ndarray): ``(B, H, W, 3)`` uint8 RGB of the size of training.
        device (str): Where to compute. Defaults to ``'cpu'``.
        seed (int): Draws the masks. Defaults to 0.

    Returns:
        tuple[np.ndarray, ...]: What the network saw and what it painted, both ``(B, H, W, 3)`` uint8, and the masks
        ``(B, h, w)``, 1 = masked.

    Raises:
        ValueError: If the model has no reconstruction head.
    """
    if getattr(network.module, 'reconstruction_head', None) is None:
        raise ValueError(
            f'this {type(network.module).__name__} has no reconstruction_head, so it paints nothing; give a checkpoint '
            'of CMID that was trained with one'
        )
    # A converted checkpoint has no pipeline; the defaults of BlockMask are the masks of the paper.
    masks = (part for part in dicts_in(network.cfg) if part.get('type') == 'BlockMask')
    block_mask = next(masks, dict(type='BlockMask'))
    transform = TRANSFORMS.build({**block_mask, 'size': pixels.shape[1]})
    with seeded(seed):
        mask = np.stack([transform({})['mask'] for _ in pixels])
    return *paint(network.module, pixels, mask, network.mean, network.std, device), mask


def paint(
    model: nn.Module, pixels: np.ndarray, mask: np.ndarray, mean: Sequence[float], std: Sequence[float], device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Let a CMID model reconstruct masked images.

    Args:
        model (nn.Module): In evaluation mode; moved to ``device``.
        pixels (np.ndarray): ``(B, H, W, 3)`` uint8 RGB.
        mask (np.ndarray): ``(B, H / 4, W / 4)``, 1 = masked.
        mean (Sequence[float]): Of the three channels, 0 to 255.
        std (Sequence[float]): Of the three channels, 0 to 255.
        device (str): Where to compute.

    Returns:
        tuple[np.ndarray, np.ndarray]: What the network saw and what it painted, both ``(B, H, W, 3)`` uint8.
    """
    inputs = torch.from_numpy((pixels - np.array(mean)) / np.array(std)).permute(0, 3, 1, 2).float()
    shown = model.to(device).reconstruct(inputs.to(device), torch.from_numpy(mask).to(device))
    seen, painted = (to_uint8(image.cpu().numpy(), mean, std) for image in shown)
    return seen, painted


def draw_reconstructions(
    images: np.ndarray,
    masked: np.ndarray,
    reconstructions: np.ndarray,
    mask: np.ndarray,
    out: str | Path,
    details: bool = False,
) -> None:
    """Draw a row an image: itself, what the network saw, its reconstruction, and that pasted into the mask.

    Args:
        images (np.ndarray): ``(B, H, W, 3)`` uint8.
        masked (np.ndarray): ``(B, H, W, 3)`` uint8.
        reconstructions (np.ndarray): ``(B, H, W, 3)`` uint8.
        mask (np.ndarray): ``(B, h, w)``, 1 = masked.
        out (str | Path): Picture to write.
        details (bool): Draw three more panels: the error in levels of 0 to 255, averaged over the channels, and the
            spectra of image and reconstruction by :func:`log_amplitude`, on one scale. Defaults to False.
    """
    columns = [images, masked, reconstructions, paste(images, reconstructions, mask)]
    titles, scales = TITLES, [{}] * len(columns)
    if details:
        error = np.abs(images.astype(float) - reconstructions).mean(axis=-1)
        spectra = [log_amplitude(images), log_amplitude(reconstructions)]
        columns += [error, *spectra]
        titles += DETAILS
        scales += [dict(cmap='magma', vmin=0, vmax=LARGEST_ERROR)]
        scales += [dict(cmap='viridis', vmin=0, vmax=np.max(spectra))] * 2
    figure = Figure(figsize=(2 * len(columns), 2.02 * len(images) + 0.25 + 0.6 * details), layout='constrained')
    panels, bars = panels_and_bars(figure, len(images), len(columns))
    for row, pictures in zip(panels, zip(*columns, strict=True), strict=True):
        for panel, picture, scale in zip(row, pictures, scales, strict=True):
            panel.imshow(picture, **scale)
            panel.set_axis_off()
    for panel, title in zip(panels[0], titles, strict=True):
        panel.set_title(title, fontsize=10)
    if details:
        for panel, values, hidden in zip(panels[:, 4], error, enlarge_mask(mask, images), strict=True):
            text = f'{values[hidden].mean():.0f} where masked' if hidden.any() else 'nothing masked'
            outlined_text(panel, 0.03, 0.97, text, fontsize=8, va='top', transform=panel.transAxes)
        for column, label in ((4, 'levels of 0 to 255'), (5, 'log10(1 + amplitude)'), (6, 'log10(1 + amplitude)')):
            draw_bar(figure, bars[column], panels[0, column].images[0], label)
    figure.savefig(out, dpi=110)
