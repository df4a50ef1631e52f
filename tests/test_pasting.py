"""Copied nuclei: labels, maps, boxes and points are those of the image as it then is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from nbtools import augment, pasting, simulate, targets
from nbtools.geometry import centroids
from nbtools.patches import Example
from nbtools.targets.boxes import boxes_of_labels

FIELDS = {2: {"shape_px": (128, 128), "count": 12}, 3: {"shape_px": (20, 96, 96), "count": 6}}


def make_patch(ndim: int, seed: int = 0) -> Example:
    kind = {2: "nuclei2d", 3: "nuclei3d"}[ndim]
    sample = simulate.make(kind, count=1, seed=seed, settings=FIELDS[ndim])[0]
    label = sample.label.pixels.astype(np.int32)
    numbers = np.unique(label[label > 0]).tolist()
    return Example(
        image=sample.image.pixels.astype(np.float32)[..., None],
        label=label,
        points=centroids(label),
        point_classes=np.arange(len(numbers)),
        boxes=boxes_of_labels(label),
        classes={n: 1 + n % 2 for n in numbers},
    )


@pytest.fixture(scope="module", params=[2, 3])
def pasted(request) -> tuple[Example, Example]:
    patch = make_patch(request.param)
    for seed in range(20):
        found = pasting.paste_nuclei(np.random.default_rng(seed), patch, most=6)
        if found.label.max() >= patch.label.max() + 2:
            return patch, found
    raise AssertionError("nothing was pasted")


def test_what_was_there_stays_and_copies_have_the_shape_of_a_nucleus(pasted):
    patch, found = pasted
    old = patch.label > 0
    np.testing.assert_array_equal(found.label[old], patch.label[old])
    shapes = {
        patch.label[p].tobytes() and (patch.label[p] == n).tobytes() for n, p in list_places(patch)
    }
    for number, place in list_places(found):
        if number > patch.label.max():
            assert (found.label[place] == number).tobytes() in shapes


def list_places(example: Example) -> list[tuple[int, tuple[slice, ...]]]:
    places = ndimage.find_objects(example.label)
    return [(n, place) for n, place in enumerate(places, 1) if place is not None]


def test_far_from_copies_no_grey_value_changes(pasted):
    patch, found = pasted
    copies = found.label > patch.label.max()
    far = ndimage.distance_transform_edt(~copies) > 2 * pasting.RIM
    np.testing.assert_array_equal(found.image[far], patch.image[far])
    assert (found.image[copies] != patch.image[copies]).mean() > 0.9


def test_a_copy_stands_out_as_its_nucleus_does(pasted):
    patch, found = pasted
    copies = found.label > patch.label.max()
    ring = ndimage.binary_dilation(copies, iterations=2 * pasting.RIM) & (found.label == 0)
    assert found.image[copies].mean() > 1.2 * found.image[ring].mean()


def test_boxes_points_and_classes_are_those_of_the_new_labels(pasted):
    _, found = pasted
    np.testing.assert_array_equal(found.boxes, boxes_of_labels(found.label))
    np.testing.assert_allclose(found.points, centroids(found.label))
    assert len(found.point_classes) == len(found.points)
    assert set(found.classes) == set(np.unique(found.label)) - {0}


@pytest.mark.parametrize("name", ["border", "distance", "foreground"])
def test_maps_are_those_of_the_new_labels(name):
    encode = getattr(targets, name).encode
    patch = make_patch(2)
    maps = np.asarray(encode(patch.label), np.float32)
    found = pasting.paste_nuclei(np.random.default_rng(3), replace(patch, maps=maps), most=6)
    assert found.label.max() > patch.label.max()
    count = 2 if name == "distance" else None  # its weights follow from all nuclei of the image
    np.testing.assert_allclose(found.maps[..., :count], encode(found.label)[..., :count], atol=1e-5)


def test_nothing_lies_on_what_nobody_looked_at():
    patch = make_patch(2)
    label = patch.label.copy()
    label[:, 64:] = -1
    for seed in range(5):
        found = pasting.paste_nuclei(
            np.random.default_rng(seed), replace(patch, label=label), most=6
        )
        assert (found.label[:, 64:] == -1).all()


def test_without_labels_or_nuclei_nothing_is_pasted():
    patch = make_patch(2)
    for bare in (replace(patch, label=None), replace(patch, label=np.zeros_like(patch.label))):
        assert pasting.paste_nuclei(np.random.default_rng(0), bare, most=3) is bare


def test_the_policy_pastes_and_one_seed_gives_one_result():
    sample = simulate.make("nuclei2d", count=1, seed=0, settings=FIELDS[2])[0]
    first, second, plain = (
        augment.vary(sample, name, count=6, size=96, seed=2)
        for name in ("paste", "paste", "elastic")
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.image.pixels, other.image.pixels)
    largest = sample.label.pixels.max()
    assert max(s.label.pixels.max() for s in first) > largest
    assert max(s.label.pixels.max() for s in plain) <= largest
