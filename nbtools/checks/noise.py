"""What can be wrong with the noise of an image, for methods that learn from it. Asked for by
`Requirements.white_noise`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nbtools.checks.finding import Finding, Requirements, View
from nbtools.metrics.noise import explain_noise


def find_shared_noise(view: View, requirements: Requirements) -> Iterator[Finding]:
    """Noise that neighbouring pixels share; of the first channel and time point."""
    image = view.image
    if (
        not requirements.white_noise
        or min(image.space_shape[-2:]) < 4
        or not np.isfinite(image.pixels).all()
    ):
        return
    found = explain_noise(image)
    if found is not None:
        yield Finding("noise_correlated", "warning", view.file, *found)


NOISE_CHECKS = [find_shared_noise]
