"""What a block mask does to pixels."""

from torch import Tensor


def pixel_mask(mask: Tensor, image: Tensor) -> Tensor:
    """Enlarge a mask ``(B, h, w)``, 1 = masked, to the pixels of an image ``(B, C, H, W)``: ``(B, 1, H, W)``.

    Raises:
        ValueError: If H is not a multiple of h or W not of w.
    """
    rows, rest_rows = divmod(image.shape[2], mask.shape[1])
    columns, rest_columns = divmod(image.shape[3], mask.shape[2])
    if rest_rows or rest_columns:
        raise ValueError(
            f'a mask of shape {tuple(mask.shape)} does not tile an image of shape {tuple(image.shape)}; '
            'set the image size of BlockMask to that of the views'
        )
    return mask.repeat_interleave(rows, 1).repeat_interleave(columns, 2).unsqueeze(1).to(image.dtype)


def fill_masked(image: Tensor, mask: Tensor) -> Tensor:
    """Replace the masked pixels of each image by that image's own channel means (CMID spec, section 2).

    Args:
        image (Tensor): Normalised images ``(B, C, H, W)``.
        mask (Tensor): ``(B, 1, H, W)``, 1 = masked.

    Returns:
        Tensor: Images ``(B, C, H, W)``.
    """
    return image.lerp(image.mean(dim=(2, 3), keepdim=True).expand_as(image), mask)
