"""RoI align against SciPy's bilinear interpolation: no feature is half a pixel off."""

import numpy as np
import pytest
from scipy import ndimage

from nbtools.nets.roi_align import SAMPLES, RoiAlign, align


def sample_with_scipy(features, box, *, stride, size):
    """Means over the bins of samples at the same places, in pixels of the features."""
    share = (np.arange(size * SAMPLES) + 0.5) / (size * SAMPLES)
    places = [
        (low + (high - low) * share) / s - 0.5
        for low, high, s in zip(box[:2], box[2:], stride, strict=True)
    ]
    grid = np.stack(np.meshgrid(*places, indexing="ij"))
    found = ndimage.map_coordinates(features, grid, order=1, mode="nearest")
    return found.reshape(size, SAMPLES, size, SAMPLES).mean(axis=(1, 3))


@pytest.mark.parametrize("stride", [(4, 4), (2, 8)])
def test_features_equal_bilinear_samples_also_at_the_border(stride):
    rng = np.random.default_rng(0)
    features = rng.random((2, 16, 12, 3)).astype(np.float32)
    boxes = rng.uniform(-6, 40, (2, 5, 2)).astype(np.float32)
    boxes = np.concatenate([boxes, boxes + rng.uniform(2, 30, boxes.shape)], axis=-1)
    boxes = boxes.astype(np.float32)
    found = np.asarray(align(features, boxes, stride=stride, size=3))
    for b in range(2):
        for r in range(5):
            for c in range(3):
                about = {"stride": stride, "size": 3}
                wanted = sample_with_scipy(features[b, ..., c], boxes[b, r], **about)
                np.testing.assert_allclose(found[b, r, ..., c], wanted, atol=1e-5)


def test_a_ramp_gives_the_middle_of_each_bin():
    # the value of a pixel of the features is where its middle lies in the image, in px
    ramp = (4 * (np.arange(16, dtype=np.float32) + 0.5))[None, :, None, None]
    features = np.broadcast_to(ramp, (1, 16, 16, 1)).copy()
    boxes = np.array([[[10, 8, 38, 40]]], np.float32)
    found = np.asarray(RoiAlign((4, 4))([features, boxes]))[0, 0, :, 0, 0]
    np.testing.assert_allclose(found, 10 + 28 / 7 * (np.arange(7) + 0.5), atol=1e-4)
