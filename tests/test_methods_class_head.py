"""Segmentation and classification by one network, learned from simulated volumes."""

import csv
import json

import numpy as np
import pytest

from nbtools import data, methods, simulate, training
from nbtools.geometry import count_sizes
from nbtools.methods import registry
from nbtools.targets import classes

SETTINGS = {
    "preset": "tiny",
    "epochs": 1,
    "batch_size": 2,
    "patch_size": 32,
    "augmentation": "flips",
    "checkpoint": "last",
    "learning_rate": 0.01,
}
STEPS = {"border_unet": 100, "fast_nuclei": 50, "flows": 40, "qcanet": 150}
SCENE = {
    "shape_px": (12, 64, 64),
    "spacing_um": (0.8, 0.4, 0.4),
    "radius_um": (2.5,),
    "count": 10,
    "dome": (0.0,),
    "brightness_spread": (0.05,),
}


def make_volume(seed: int) -> data.Sample:
    """Simulated nuclei, half of them stained half as much, one of unknown class."""
    settings = simulate.settings_for("nuclei3d", SCENE)
    rng = np.random.default_rng(seed)
    sample = simulate.nuclei(settings, rng=rng)
    label, pixels = sample.label.pixels, sample.image.pixels.astype(np.float32)
    dark = np.percentile(pixels, 5)
    named = {}
    for number in count_sizes(label)[0].tolist():
        named[number] = ("bright", "dim")[number % 2]
        if number % 2:
            pixels[label == number] = dark + (pixels[label == number] - dark) / 3
    del named[2]
    image, name = sample.image.replace(pixels=pixels, name=f"v{seed}"), f"v{seed}"
    return data.Sample(name, image, label=sample.label.replace(name=name), classes=named)


@pytest.fixture(scope="module")
def volumes() -> data.DataSet:
    return data.DataSet.of([make_volume(i) for i in range(2)])


def learn(name: str, volumes: data.DataSet, **further) -> methods.Method:
    changes = {"steps_per_epoch": STEPS[name], "patch_depth": 8} | further
    method = methods.get(name)(**SETTINGS | changes)
    method.fit(volumes, plan=training.TrainingPlan(seed=1))
    return method


def share_of_right_classes(method: methods.Method, sample: data.Sample) -> float:
    pixels = sample.image.pixels[..., None]
    share = method.infer(pixels)[..., method.target().class_channels()]
    np.testing.assert_allclose(share.sum(axis=-1), 1, atol=1e-5)
    found, _ = classes.decode(sample.label.pixels, share, names=method.domain.classes)
    return float(np.mean([found[label] == name for label, name in sample.classes.items()]))


@pytest.mark.parametrize("name", STEPS)
def test_a_network_tells_bright_from_dim_nuclei_of_volumes(name, volumes):
    method = learn(name, volumes)
    assert method.domain.classes == ("bright", "dim")
    assert share_of_right_classes(method, make_volume(9)) > 0.8


def test_a_flat_network_tells_classes_of_nuclei_from_planes_of_volumes(volumes):
    method = learn("flows", volumes, views="planes", steps_per_epoch=150)
    assert method.model.output_shape[-1] == 3 + 2
    assert method.target().class_channels() == slice(4, 6)
    assert share_of_right_classes(method, make_volume(9)) > 0.8


def test_each_member_of_an_ensemble_tells_classes(volumes):
    method = learn("border_unet", volumes, ensemble=2, steps_per_epoch=1)
    assert method.model.output_shape[-1] == 2 * (3 + 2)
    share_of_right_classes(method, make_volume(9))


def test_classes_of_a_volume_are_written_read_and_scored(volumes, tmp_path, run):
    method = learn("fast_nuclei", volumes, steps_per_epoch=10)
    method.tuned = {"threshold": 0.3, "min_size": 0}
    method.save(tmp_path / "m")
    data.write_dataset(volumes, tmp_path / "set")
    about = ["--out", tmp_path / "r", "--quiet"]
    assert run("predict", tmp_path / "m", tmp_path / "set", *about)[0] == 0
    rows = list(csv.DictReader((tmp_path / "r" / "objects.csv").read_text().splitlines()))
    assert {row["class"] for row in rows} <= {"bright", "dim"}
    assert all(0 <= float(row["score"]) <= 1 for row in rows)
    told = json.loads(run("evaluate", tmp_path / "r", tmp_path / "set", "--json")[1])
    assert set(told["per_class"]) == {"bright", "dim"}
    counted = sum(sum(row.values()) for name, row in told["confusion"].items() if name != "extra")
    assert counted == sum(len(volume.classes) for volume in volumes)
    assert 0 <= told["macro_f1"] <= 1


def test_the_system_is_named_in_the_table_of_methods():
    systems = [row.system for row in registry.ROWS]
    assert any("Qu 2019a (joint segmentation and classification)" in one for one in systems)
