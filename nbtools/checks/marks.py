"""Checks of points and boxes: listed twice, without a class, or where nothing is to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from nbtools.checks.finding import Finding, Requirements, View

SIGMA_PX = 2.0  # within which the grey value at a mark is averaged
SEEN = 5.0  # spreads of the background, from which a mark lies on something
CLEAR = 20.0  # spreads that most marks stand out by, where those on nothing can be told
MAX_ON_NOTHING = 0.25  # share of marks
MIN_MARKS = 8  # below which a share tells little
LARGEST = 64e6  # pixels of an image that is smoothed


def find_repeated_centres(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find centres that are listed twice."""
    if view.centres is None or not len(view.centres):
        return
    repeated = len(view.centres) - len(np.unique(view.centres, axis=0))
    if repeated:
        yield Finding(
            "centre_twice",
            "warning",
            view.centres_file,
            f"{repeated} of {len(view.centres)} centres are listed twice.",
            "nbtools check --fix keeps one of each.",
        )


def drop_repeated_centres(view: View) -> View:
    """Keep one of each centre, in their order."""
    first = np.unique(view.centres, axis=0, return_index=True)[1]
    return replace(view, centres=view.centres[np.sort(first)])


def find_boxes_without_class(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find boxes without a class beside boxes that have one."""
    missing = sum(not name for name in view.box_classes)
    if missing:
        yield Finding(
            "box_without_class",
            "warning",
            view.boxes_file,
            f"{missing} of {len(view.box_classes)} boxes have no class.",
            "Name their class, or leave the boxes out: a detector would take them for a class of "
            "their own, without a name.",
        )


def find_marks_on_nothing(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find points that lie where the image shows background, though most lie on something."""
    if view.image is None or view.centres is None or len(view.centres) < MIN_MARKS:
        return
    if set(view.image.axes) - set("ZYX") or view.image.pixels.size > LARGEST:
        return
    contrast = measure_contrast(view.image.pixels, view.centres)
    nothing = contrast < SEEN
    # where few stand out, what most pixels show is nuclei, not background
    if nothing.mean() > MAX_ON_NOTHING and np.median(contrast) > CLEAR:
        yield Finding(
            "centre_on_nothing",
            "warning",
            view.centres_file,
            f"{int(nothing.sum())} of {len(view.centres)} centres lie where the image shows "
            "background.",
            "Check that both belong to this image, and that all of them were meant.",
        )


def measure_contrast(pixels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How far the grey value at each place is from what most of the image shows.

    Parameters
    ----------
    pixels : (*space) grey values.
    places : (N, ndim) in pixels.

    Returns
    -------
    (N,) differences of the smoothed image from its median, in spreads: the lower quarter of all
    such differences in the image lies within one spread.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(pixels.astype(np.float32), SIGMA_PX)
    middle = float(np.median(smooth))
    spread = float(np.quantile(np.abs(smooth - middle), 0.25)) + 1e-9
    inside = np.rint(places).astype(int).clip(0, np.array(pixels.shape) - 1)
    return np.abs(smooth[tuple(inside.T)] - middle) / spread
