"""A volume that turns: a small animated PNG, which every browser shows without a script."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Picture

from nbtools.image import Image
from nbtools.show.scene import prepare_scene
from nbtools.show.views import enlarge

FRAMES = 18  # of a full turn
SECONDS = 6.0  # of a full turn
SIDE = 360  # px of the longest side, at least
COLORS = 64  # of the palette that all frames share
TILT = 15  # degrees by which the first frame is turned, so that depth is seen at once


def turning_png(
    image: Image, label: Image | None = None, *, frames: int = FRAMES, most: int = 112
) -> bytes:
    """Draw a volume turning about Y as an animated PNG; with labels, nuclei are coloured bodies.

    Programs that know no animation show its first frame.

    Parameters
    ----------
    image : volume.
    label : label image of the same size.
    frames : of a full turn.
    most : voxels along the longest side; larger volumes are averaged.

    Raises
    ------
    UserError : no volume.

    Examples
    --------
    >>> volume = Image(np.eye(8)[None].repeat(4, axis=0), "ZYX")
    >>> turning_png(volume, frames=2)[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    scene = prepare_scene(image, label, most=most)
    pictures = []
    for number in range(frames):
        rgb = scene.draw(TILT + number * 360 / frames, "Y")
        pictures.append(Picture.fromarray(np.ascontiguousarray(enlarge(rgb, SIDE))))
    first = pictures[0].quantize(COLORS, dither=Picture.Dither.NONE)
    shared = [p.quantize(palette=first, dither=Picture.Dither.NONE) for p in pictures]
    content = io.BytesIO()
    shared[0].save(
        content,
        format="PNG",
        save_all=True,
        append_images=shared[1:],
        duration=round(1000 * SECONDS / frames),
        loop=0,
        optimize=True,
    )
    return content.getvalue()
