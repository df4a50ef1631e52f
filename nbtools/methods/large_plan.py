"""The blocks of an image beyond the memory, told before they are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtools import runtime
from nbtools.image import Image
from nbtools.inference.blocks import plan_blocks
from nbtools.inference.rescaling import find_zoom
from nbtools.inference.schedule import Schedule, make_schedule
from nbtools.inference.workers import LARGEST
from nbtools.methods.large import resample_stored

if TYPE_CHECKING:
    from nbtools.methods.method import Method


def plan_stored(
    method: Method, image: Image, *, workers: int, diameter: float | None = None
) -> Schedule:
    """Plan the blocks of an image on some workers; its grey values are looked at once.

    Parameters
    ----------
    method : that can work on blocks.
    image, diameter : as for `predict`; the pixels are in a file.
    workers : their number.

    Raises
    ------
    UserError : not even one block fits into memory.
    """
    image, zoom = method.check_image(image), None
    if method.Target.rescales:
        zoom = find_zoom(image, method.domain, diameter=diameter)
    seen = image if zoom is None else resample_stored(method, image, zoom=zoom)
    work = method.open_blocks(seen)
    about = {"halo": work.halo, "grid": work.grid, "bytes_per_pixel": work.bytes_per_pixel}
    shape = tuple(seen.size(axis) for axis in method.domain.axes)
    free = float(runtime.memory().available)
    plan = plan_blocks(shape, free=free, largest=LARGEST, **about)
    return make_schedule(plan, workers, bytes_per_pixel=work.bytes_per_pixel)
