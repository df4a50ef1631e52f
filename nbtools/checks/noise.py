"""Checks of the noise of an image, for methods with `Requirements.white_noise`.

A check takes a View and Requirements and yields findings; add it to NOISE_CHECKS.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.checks.finding import Finding, Requirements, View
from nbtools.metrics.noise import explain_noise


def find_shared_noise(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Find noise that neighbouring pixels share, in the first channel and time point."""
    image = view.near.image
    if (
        not requirements.white_noise
        or min(image.space_shape[-2:]) < 4
        or not np.isfinite(image.pixels).all()
    ):
        return
    warning = explain_noise(image)
    if warning is not None:
        yield Finding("noise_correlated", "warning", view.file, *warning)


NOISE_CHECKS = [find_shared_noise]
