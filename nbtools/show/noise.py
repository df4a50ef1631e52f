"""Figures of the noise of images."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np

from nbtools.metrics.noise import CORRELATED, autocorrelate
from nbtools.show.colors import GREY, INK, METHODS, PALE
from nbtools.show.figure import Figure, new_figure, style_axes
from nbtools.show.pictures import as_image
from nbtools.show.restoration import name_results


def correlations(images: object) -> Figure:
    """Draw the autocorrelation of the noise along each axis, against the distance in pixels.

    A line above the grey band says that neighbouring pixels share noise; a blind-spot network would
    then take the noise for signal.

    Parameters
    ----------
    images : an Image, or a dictionary of images by name.

    Examples
    --------
    >>> white = np.random.default_rng(0).normal(size=(256, 256))
    >>> correlations({"striped": np.repeat(white, 2, axis=1)}).alt[-5:]
    'X 0.5'
    """
    named = images if isinstance(images, Mapping) else {as_image(images).name or "image": images}
    found = {name: autocorrelate(image) for name, image in name_results(named).items()}
    axes_names = list(dict.fromkeys(chain.from_iterable(found.values())))
    text = ", ".join(
        f"{name} {', '.join(f'{a} {v[1]:.1f}' for a, v in one.items())}"
        for name, one in found.items()
    )
    figure = new_figure(
        4.2 * len(axes_names), 3, alt=f"noise correlation with the next pixel: {text}"
    )
    panels = np.atleast_1d(figure.subplots(1, len(axes_names), sharey=True))
    for panel, axis in zip(panels, axes_names, strict=True):
        style_axes(
            panel,
            title=f"along {axis}",
            x="distance in pixels",
            y="correlation of the noise" if panel is panels[0] else "",
        )
        panel.axhspan(-CORRELATED, CORRELATED, color=PALE, zorder=0)
        panel.axhline(0, color=GREY, linewidth=0.8)
        for color, (name, one) in zip(METHODS, found.items(), strict=False):
            if axis in one:
                panel.plot(
                    np.arange(len(one[axis])),
                    one[axis],
                    color=color,
                    marker="o",
                    markersize=4,
                    label=name,
                )
        panel.set_ylim(-0.5, 1.05)
    panels[-1].legend(frameon=False, fontsize=8.5, labelcolor=INK)
    return figure
