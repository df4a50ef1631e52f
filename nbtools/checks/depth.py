"""Checks of volumes along Z: brightness that falls with depth.

A check takes a View and Requirements and yields findings; add it to DEPTH_CHECKS.
"""

from __future__ import annotations

from collections.abc import Iterator

from nbtools.brightness import DepthProfile, measure_depth_profile
from nbtools.checks.finding import Finding, Requirements, View

MIN_FADING = 1.7  # brighter half of the planes over the dimmer one
MIN_AGREEMENT = {True: 0.85, False: 0.75}  # of brightness and depth, with and without labels


def find_fading(view: View, _requirements: Requirements) -> Iterator[Finding]:
    """Find volumes whose nuclei become dimmer from one end to the other."""
    profile = measure_fading(view)
    if profile is not None:
        yield Finding(
            "fades_with_depth",
            "warning",
            view.file,
            (
                f"Brightness falls with depth: nuclei in the {profile.dim_half} half of the planes "
                f"are {profile.fading:.1f} times dimmer than in the other; they may be missed."
            ),
            (
                "nbtools check --fix COPY --even-depth writes a copy in which all planes are "
                "equally bright; do not compare intensities there."
            ),
        )


def measure_fading(view: View) -> DepthProfile | None:
    """The brightness of a volume along Z; None where it does not fade, or cannot be told.

    Parameters
    ----------
    view : a volume of one channel; labels say where its nuclei are.
    """
    image = view.image
    if image.axes != "ZYX" or view.greys.is_flat:
        return None
    labelled = view.comparison is not None and not view.fit.misplaced
    inside = view.label.pixels if labelled else None
    profile = measure_depth_profile(image.pixels, inside)
    fades = profile.fading > MIN_FADING and profile.agreement > MIN_AGREEMENT[labelled]
    return profile if fades else None


DEPTH_CHECKS = [find_fading]
