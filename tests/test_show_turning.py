"""Twin of turning: an animated PNG of a volume, small, that turns."""

import io

import numpy as np
import pytest
from PIL import Image as Picture

from nbtools import data, show
from nbtools.errors import UserError
from nbtools.image import Image


def test_a_volume_turns_once_around():
    sample = data.samples("simulated3d")[0]
    content = show.turning_png(sample.image, sample.label, frames=6)
    animation = Picture.open(io.BytesIO(content))
    assert (animation.n_frames, animation.info["loop"]) == (6, 0)
    frames = []
    for number in range(6):
        animation.seek(number)
        frames.append(np.asarray(animation.convert("RGB")))
    assert all((frames[0] != other).any() for other in frames[1:])
    assert max(frames[0].shape[:2]) >= 300
    assert all(frame.any() for frame in frames)
    assert content.endswith(b"IEND\xaeB`\x82")
    assert len(content) < 600_000


def test_a_plane_does_not_turn():
    with pytest.raises(UserError):
        show.turning_png(Image(np.zeros((8, 8), np.uint8), "YX"))
