"""From settings to labels and expected photons of one scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.geometry import UNIT_BALL
from nbtools.simulate import optics, packing, phantom
from nbtools.simulate.settings import NucleiSettings


@dataclass(frozen=True, eq=False)
class Scene:
    """One field of view through one microscope.

    Parameters
    ----------
    label : (*space) exact labels.
    photons : (*space) expected per pixel, before any noise.
    """

    label: np.ndarray
    photons: np.ndarray


def render_scene(
    settings: NucleiSettings, drawn: dict[str, float], *, rng: np.random.Generator
) -> Scene:
    """Simulate phantom and optics, on the grid of the camera.

    Parameters
    ----------
    settings : of the kind of image.
    drawn : values of this image, see `NucleiSettings.draw`.
    rng : random numbers.
    """
    label, dye, fine = _paint_phantom(settings, drawn, rng=rng)
    light = optics.blur_dye(dye, drawn, spacing=fine)
    planes = slice(None, None, round(settings.spacing_um[0] / fine[0]))
    return Scene(label, optics.illumination(light[planes], drawn, rng=rng))


def _paint_phantom(
    settings: NucleiSettings, drawn: dict, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label on the camera's grid, dye on a grid with finer planes, and the spacing of that grid.

    The optics mix light between the planes of the camera.
    """
    spacing = np.array(settings.spacing_um)
    finer = packing.count_finer_planes(settings.spacing_um)
    shape = ((settings.shape_px[0] - 1) * finer + 1, *settings.shape_px[1:])
    fine = np.array([spacing[0] / finer, *spacing[1:]])
    ellipsoids = packing.place_nuclei(
        (np.array(settings.shape_px) - 1) * spacing,
        drawn,
        count=settings.count,
        cut=settings.cut,
        rng=rng,
    )
    label, dye = phantom.paint_nuclei(ellipsoids, drawn, shape=shape, spacing=fine, rng=rng)
    full_size = UNIT_BALL[settings.ndim] * ellipsoids.radius**settings.ndim / np.prod(spacing)
    seen = label[::finer]
    kept = phantom.find_whole_nuclei(seen, full_size)
    gone = np.setdiff1d(seen, seen[kept])
    dye[::finer][~kept] = 0
    dye[np.isin(label, gone)] = 0
    if settings.debris:
        phantom.scatter_debris(
            dye, rng.poisson(settings.debris * len(ellipsoids)), drawn=drawn, spacing=fine, rng=rng
        )
    truth = np.where(kept, seen, 0)
    if settings.outline is not None:
        truth = phantom.outline_visible(
            truth, dye[::finer], width=optics.blur_widths(drawn, spacing), share=settings.outline
        )
    return phantom.relabel_sequential(truth), dye, fine
