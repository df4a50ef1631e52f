"""What a method finds in one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nbtools.image import Image
from nbtools.plausibility import Finding
from nbtools.results import Boxes, Classes, Labels, Points, Restored, Result


@dataclass
class Prediction:
    """What a method finds in one image.

    Parameters
    ----------
    result : see `nbtools.results`.
    raw : name → array (*space, K), the network's maps before they were decoded, on the pixel grid
        of the model.
    zoom : how many times as many pixels, along each spatial axis, the network was given; None where
        it was given the image as it is.
    warnings : what makes the result doubtful, as text; each with its code and remedy.
    notes : what was decided in decoding and should be known, as of regions without a centre.
    """

    result: Result
    raw: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    zoom: tuple[float, ...] | None = None
    warnings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> Image | None:
        """The label image; None where the result is something else."""
        return self.result.image if isinstance(self.result, Labels) else None

    @property
    def image(self) -> Image | None:
        """The restored image; None where the result is something else."""
        return self.result.image if isinstance(self.result, Restored) else None

    @property
    def points(self) -> Points | None:
        """The points found; None where the result is something else."""
        return self.result if isinstance(self.result, Points) else None

    @property
    def boxes(self) -> Boxes | None:
        """The boxes found; None where the result is something else."""
        return self.result if isinstance(self.result, Boxes) else None

    @property
    def classes(self) -> Mapping[int, str] | Classes | None:
        """Label → class of its nucleus, or the class of the image; None where there are none."""
        if isinstance(self.result, Classes):
            return self.result
        found = getattr(self.result, "classes", None)
        return None if found == () else found

    @property
    def probability(self) -> Mapping[int, float] | None:
        """Label → probability of its nucleus' class; None where there are no classes."""
        return getattr(self.result, "probability", None)
