"""Classes beside the maps of labels: what is encoded comes back, in planes and in volumes."""

import numpy as np
import pytest

from nbtools.patches import Example
from nbtools.targets import border, centres, class_head, distance, flows

TARGETS = {
    "border": (border.BorderTarget, {"threshold": 0.5, "grow": 2, "min_size": 0}),
    "distance": (distance.DistanceTarget, {"threshold": 0.5, "split": 0.15, "min_size": 0}),
    "flows": (flows.FlowTarget, {"threshold": 0.5, "flow_threshold": 4.0, "min_size": 0}),
    "centres": (centres.CentreTarget, {"threshold": 0.5, "min_size": 0}),
}
NAMES = ("mutant", "wild type")
NUMBERS = {1: 2, 2: 1, 4: 1}  # 3 is of unknown class


def make_label(ndim: int) -> np.ndarray:
    """Four balls of radius 6, the first pixel ignored."""
    grid = np.indices(((60, 60), (15, 60, 60))[ndim - 2])
    label = np.zeros(grid.shape[1:], np.int32)
    for number, (y, x) in enumerate(((15, 15), (15, 45), (45, 15), (45, 45)), 1):
        centre = np.array((7, y, x)[-ndim:]).reshape(-1, *[1] * ndim)
        label[((grid - centre) ** 2).sum(axis=0) < 36] = number
    label.flat[0] = -1
    return label


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_labels_and_classes_come_back(name, ndim):
    kind, values = TARGETS[name]
    target, label = kind(ndim, classes=NAMES), make_label(ndim)
    example = Example(np.zeros((*label.shape, 1), np.float32), label, classes=NUMBERS)
    maps, plain = target.encode(example), kind(ndim).encode(example)
    np.testing.assert_array_equal(maps[..., :-2], plain)
    shown = np.concatenate(  # without the weight, which is not predicted
        [maps[..., : target.class_channels().start], maps[..., -2:]], axis=-1
    )
    assert shown.shape[-1] == sum(target.outputs.values())
    found = target.describe_objects(target.decode(shown, **values), shown)
    assert len(found.classes) == 4
    for number, kind in NUMBERS.items():
        there = int(np.bincount(found.image.pixels[label == number]).argmax())
        assert there > 0
        assert found.classes[there] == NAMES[kind - 1]
        assert found.probability[there] == 1


@pytest.mark.parametrize("name", TARGETS)
def test_logits_of_classes_become_probabilities_and_change_nothing_else(name, rng):
    target, plain = TARGETS[name][0](2, classes=NAMES), TARGETS[name][0](2)
    raw = rng.normal(size=(5, 6, sum(target.outputs.values())))
    maps, own = target.activate(raw), plain.activate(raw[..., :-2])
    np.testing.assert_allclose(maps[..., :-2], own)
    expected = 1 / (1 + np.exp(raw[..., -2] - raw[..., -1]))
    np.testing.assert_allclose(maps[..., -1], expected)
    assert (own.shape[-1], own.shape[-1] + 2) == (
        target.class_channels().start,
        target.class_channels().stop,
    )


def test_members_of_an_ensemble_tell_classes_by_their_mean():
    target = border.BorderTarget(2, classes=NAMES)
    raw = np.zeros((1, 1, 10))
    raw[..., 3] = np.log(3)  # the first member says 3 to 1, the second 1 to 1
    np.testing.assert_allclose(target.activate(raw)[0, 0, 3:], [(0.75 + 0.5) / 2, 0.375])


def test_nothing_is_learned_where_no_class_is_known():
    assert class_head.encode(make_label(2), None, count=2).max() == 0
