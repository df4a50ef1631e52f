"""Which pixel size counts where an image and its partner state two."""

from __future__ import annotations

import numpy as np

from nbtools.image import Image

NEAR = 0.02  # sizes that differ by less are the same


def is_dummy(image: Image) -> bool:
    """Whether a pixel size is what programs write where nobody has measured it: none, or all 1.

    Parameters
    ----------
    image : with or without a spacing.

    Examples
    --------
    >>> is_dummy(Image(np.zeros((8, 8)), "YX", (1, 1), "pixel"))
    True
    >>> is_dummy(Image(np.zeros((8, 8)), "YX", (0.5, 0.5)))
    False
    """
    return image.spacing is None or all(s == 1 for s in image.spacing)


def join_spacing(label: Image, image: Image) -> tuple[Image, str]:
    """The label image with the pixel size that counts, and a sentence where two disagree.

    The image's counts; the label's where the image has none but a dummy.

    Parameters
    ----------
    label : with the axes of space, also in another order or without Z.
    image : what it belongs to.

    Returns
    -------
    label, sentence : "" where nothing has to be said.

    Examples
    --------
    >>> label = Image(np.zeros((8, 8), int), "YX", (1, 1), "pixel")
    >>> join_spacing(label, Image(np.zeros((8, 8)), "YX", (0.2, 0.2)))[0].spacing_um
    (0.2, 0.2)
    """
    of_image = _spacing_along(image, label.spatial)
    if of_image is None or label.spatial == "":
        return label, ""
    taken = label.replace(spacing=of_image, unit=image.unit)
    if is_dummy(label):
        return taken, ""
    if _agree(label.spacing, of_image, same_unit=label.unit == image.unit):
        # of a size and a ratio that agree, the size says more
        return (label, "") if image.unit == "pixel" and label.unit == "um" else (taken, "")
    if is_dummy(taken):
        return label, (
            f"The image states {format_spacing(taken)}, its labels {format_spacing(label)}; "
            "that of the labels is used."
        )
    return taken, (
        f"The labels state {format_spacing(label)}, their image {format_spacing(taken)}; "
        "that of the image is used."
    )


def format_spacing(image: Image) -> str:
    """The pixel size of an image in words.

    Parameters
    ----------
    image : with or without a spacing.

    Examples
    --------
    >>> format_spacing(Image(np.zeros((8, 8)), "YX", (0.5, 0.25)))
    '0.5 x 0.25 µm'
    """
    if image.spacing is None:
        return "no pixel size"
    unit = {"um": "µm"}.get(image.unit, image.unit)
    return f"{' x '.join(f'{s:g}' for s in image.spacing)} {unit}"


def _spacing_along(image: Image, spatial: str) -> tuple[float, ...] | None:
    """Pixel size of an image along the axes of its label; None where it does not tell all."""
    known = dict(zip(image.spatial, image.spacing or (), strict=bool(image.spacing)))
    return tuple(known[a] for a in spatial) if known and all(a in known for a in spatial) else None


def _agree(one: tuple[float, ...], other: tuple[float, ...], *, same_unit: bool) -> bool:
    """Whether two sizes are the same; of µm and a mere ratio, whether the ratios are."""
    first, second = np.array(one), np.array(other)
    if not same_unit:
        first, second = first / first.min(), second / second.min()
    return bool(np.allclose(first, second, rtol=NEAR, atol=0))
