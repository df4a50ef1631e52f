"""In what an image, and the nuclei found in it, are unlike those that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nbtools.image import Image
from nbtools.normalize import Scale
from nbtools.plausibility.finding import Finding

if TYPE_CHECKING:
    from nbtools.methods.domain import Domain

FEW = 3  # nuclei; the median of fewer says nothing
FAR = 1.7  # times larger or smaller than in training
FAR_GREY = 4.0  # times brighter, dimmer, higher or lower in contrast than the training images
TOLERATED = 1.2  # beyond the sizes of the training images
MARGIN = {
    "noise": 0.03,
    "fill": 0.25,
}  # beyond the training images, as share of the range of grey values
NOISY, LESS = 0.02, 4.0  # least noise of training images that one may have LESS times less than


def judge_spacing(image: Image, domain: Domain) -> Finding | None:
    """An image without the pixel size that the model knows; None where nothing is missing."""
    if domain.spacing is None or domain.unit != "um" or image.spacing_um is not None:
        return None
    size = " x ".join(f"{s:.3g}" for s in domain.spacing)
    return Finding(
        "pixel_size_unknown",
        f"Pixel size unknown: the model was trained at {size} µm per pixel.",
        "If yours is another, give it with --spacing, or the size of the nuclei with --diameter.",
        python="If yours is another, give the image its `spacing`, or `predict` a `diameter`.",
    )


def judge_size(
    median: float,
    domain: Domain,
    *,
    image: Image | None = None,
    pixels: float | None = None,
    given: bool = False,
    single: bool = True,
) -> Finding | None:
    """Nuclei far smaller or larger than those of the training; None where they are alike.

    Parameters
    ----------
    median : diameter of the nuclei found, in pixels of the model.
    domain : with the size of the training nuclei.
    image : that they were found in; None for several.
    pixels : the same diameter in pixels of the image.
    given : whether their diameter was given, so that nothing is left to be given.
    single : the nuclei are of one image, whose median may lie anywhere in the range of the training
        images.
    """
    usual = domain.nucleus_size
    if not usual or 1 / FAR <= median / usual <= FAR:
        return None
    low, high = domain.size_range or (usual, usual)
    if single and low / TOLERATED <= median <= high * TOLERATED:
        return None
    words = (
        f"{median / usual:.1f} times as large as"
        if median > usual
        else f"{usual / median:.1f} times smaller than"
    )
    step, unit = _find_pixel(domain, image)
    message = (
        f"Nuclei found are {words} those the model was trained on (median {median * step:.3g} "
        f"{unit}, in training {usual * step:.3g} {unit})."
    )
    if given:
        remedy = "Check the diameter that was given; if it is right, train on images like these."
        return Finding("nuclei_size", message, remedy)
    return Finding("nuclei_size", message, *_advise_diameter(image, pixels or median, domain))


def _find_pixel(domain: Domain, image: Image | None) -> tuple[float, str]:
    """Side of a pixel of the model, and its unit: px unless model and image are calibrated.

    An image that was resampled to the pixel of the model has other pixels than those counted here.
    """
    known = domain.spacing is not None and domain.unit == "um"
    if not known or image is None or image.spacing_um is None:
        return 1.0, "px"
    return float(np.exp(np.mean(np.log(domain.spacing)))), "µm"


def _advise_diameter(image: Image | None, pixels: float, domain: Domain) -> tuple[str, ...]:
    """What brings nuclei to the size of the training: what the model and the image can use."""
    # --spacing changes nothing where the model was trained on images of unknown pixel size
    spacing = image.spacing if image is not None else None
    if spacing is None:
        known = domain.spacing is not None and domain.unit == "um"
        first = "Give the pixel size with --spacing, or " if known else "Give "
        return (f"{first}the diameter of the nuclei in pixels with --diameter N --unit pixel.",)
    size = pixels * float(np.exp(np.mean(np.log(spacing))))
    unit = "µm" if image.unit == "um" else "px" if image.unit == "pixel" else image.unit
    return (f"Give their true diameter with --diameter; as found it is {size:.3g} {unit}.",)


def judge_grey(described: Mapping[str, float], domain: Domain) -> list[Finding]:
    """Grey values unlike those of the training images, on either side.

    Parameters
    ----------
    described : of the image, by `methods.domain.describe_grey`.
    domain : with the ranges of the training images.
    """
    known, found = domain.grey, []
    if "noise" in known and "noise" in described:
        low, high = known["noise"]
        if described["noise"] > 1.5 * high + MARGIN["noise"]:
            found.append(
                Finding(
                    "noisier",
                    "The image is noisier than any the model was trained on.",
                    "Look at the result with care, or denoise the image first.",
                )
            )
        elif low > NOISY and described["noise"] < low / LESS:
            found.append(
                Finding(
                    "smoother",
                    "The image has less noise than any the model was trained on.",
                    "If it was smoothed or enlarged, predict the image as it was taken.",
                )
            )
    if "fill" in known and "fill" in described:
        low, high = known["fill"][0] - MARGIN["fill"], known["fill"][1] + MARGIN["fill"]
        if described["fill"] > high:
            found.append(
                Finding(
                    "brighter",
                    "The image is brighter in most places than those the model was trained on.",
                    "If its nuclei are dark on a bright field, invert it first.",
                )
            )
        elif described["fill"] < low:
            found.append(
                Finding(
                    "darker",
                    "The image is darker in most places than those the model was trained on.",
                    "If its nuclei are bright on a dark field, invert it first.",
                )
            )
    return found


def judge_scale(theirs: Scale, ours: Scale) -> tuple[Finding, ...]:
    """Grey values far from those that a network restores, on either side.

    Parameters
    ----------
    theirs : normalisation that the image alone would have.
    ours : that of the training set.

    Examples
    --------
    >>> training = Scale((1000.0,), (800.0,))
    >>> judge_scale(Scale((900.0,), (700.0,)), training)
    ()
    >>> print(judge_scale(Scale((100.0,), (30.0,)), training)[0].message)
    Grey values are far below those of the training images (around 100, in training 1000).
    """
    ratio = np.array(theirs.factor) / np.array(ours.factor)
    # a shift that is small beside the contrast of the training may be many times the image's own
    smaller = np.minimum(theirs.factor, ours.factor)
    shift = np.abs(np.array(theirs.offset) - np.array(ours.offset)) / smaller
    inside = (ratio < FAR_GREY) & (ratio > 1 / FAR_GREY) & (shift < FAR_GREY)
    if inside.all():
        return ()
    worst = int(np.argmin(inside))
    here, there = theirs.offset[worst], ours.offset[worst]
    way = "above" if here > there else "below"
    return (
        Finding(
            "grey_values_far",
            f"Grey values are far {way} those of the training images (around {here:.4g}, in "
            f"training {there:.4g}).",
            "Train on images taken with these settings.",
        ),
    )
