"""Methods that learn what kind of nucleus each is, from the training to the command line."""

import csv
import json

import numpy as np
import pytest

from nbtools import data, methods, training
from nbtools.image import Image
from nbtools.targets import classes

TINY = {
    "preset": "tiny",
    "epochs": 1,
    "steps_per_epoch": 1,
    "batch_size": 4,
    "patch_size": 32,
    "augmentation": "flips",
    "keep": "last",
}
LEARN = ["unet", "stardist", "qcanet"]
STEPS = {"unet": {"steps_per_epoch": 50}, "stardist": {"steps_per_epoch": 3}}


def make_sample(seed: int) -> data.Sample:
    """Dim and bright discs; one of them is of unknown class, and one pixel in the corner is
    nobody's.
    """
    rng = np.random.default_rng(seed)
    grid, label, pixels, named = (
        np.indices((72, 90)),
        np.zeros((72, 90), np.int32),
        np.full((72, 90), 100.0),
        {},
    )
    for i in range(12):
        inside = np.hypot(grid[0] - 18 * (i // 4) - 14, grid[1] - 22 * (i % 4) - 12) < 6
        bright = bool(rng.random() < 0.5)
        label[inside], named[i + 1] = i + 1, "bright" if bright else "dim"
        pixels[inside] = 900 if bright else 400
    del named[int(rng.integers(1, 13))]
    image = Image(
        (pixels + rng.normal(0, 20, label.shape)).astype(np.float32),
        "YX",
        (0.5, 0.5),
        name=f"s{seed}",
    )
    return data.Sample(f"s{seed}", image, label=Image(label, "YX", (0.5, 0.5)), classes=named)


@pytest.fixture(scope="module")
def images() -> data.DataSet:
    return data.DataSet.of([make_sample(i) for i in range(3)])


@pytest.fixture(scope="module")
def fitted(images) -> dict:
    found = {}
    for name in LEARN:
        found[name] = methods.get(name)(**TINY | STEPS.get(name, {}))
        found[name].fit(
            images, data.DataSet.of([make_sample(9)]), plan=training.TrainingPlan(seed=1)
        )
    dist = found["stardist"].inner.keras_model.get_layer("dist")
    dist.bias.assign(
        np.full(dist.bias.shape, 5.0)
    )  # hardly trained, it shall find discs where its probability is highest
    return found


def test_a_network_learns_classes_with_the_nuclei(fitted):
    method, sample = fitted["unet"], make_sample(20)
    assert method.domain.classes == ("bright", "dim")
    maps = method.infer(sample.image.pixels[..., None])
    share = maps[..., method.target().class_channels()]
    found, probability = classes.decode(sample.label.pixels, share, names=method.domain.classes)
    assert np.mean([found[label] == name for label, name in sample.classes.items()]) > 0.9
    assert all(0.5 <= p <= 1 for p in probability.values())


def test_the_package_is_told_the_class_of_every_nucleus(fitted, images):
    method = fitted["stardist"]
    numbers = {"bright": 1, "dim": 2}
    for told, sample in zip(method.inner.data_train.classes, images, strict=True):
        assert told == {label: numbers.get(sample.classes.get(label)) for label in range(1, 13)}
        assert list(told.values()).count(None) == 1  # the one of unknown class
    # behind probability, 32 rays and the background's share
    assert method.target().class_channels() == slice(34, 36)
    assert method.model.output_shape[-1] == 36


@pytest.mark.parametrize("name", LEARN)
def test_every_nucleus_found_has_a_class_also_after_saving_and_decoding_again(
    fitted, tmp_path, name
):
    method, image = fitted[name], make_sample(20).image
    method.tuned = {
        "threshold": float(np.percentile(method.infer(image.pixels[..., None])[..., 0], 95))
    }
    found = method.predict(image, raw=True)
    assert set(found.classes) == set(found.probability) == set(np.unique(found.labels.pixels)) - {0}
    assert len(found.classes) > 0
    method.save(tmp_path / "m")
    assert json.loads((tmp_path / "m" / "model.json").read_text())["classes"] == ["bright", "dim"]
    again = methods.load(tmp_path / "m").predict(image)
    assert again.classes == found.classes
    fewer = method.decode_again(found, threshold=0.99)
    assert set(fewer.classes) == set(np.unique(fewer.labels.pixels)) - {0}
    movie = image.replace(pixels=np.stack([image.pixels] * 2), axes="TYX")
    moving = method.predict(movie).classes  # labels of two time points share their numbers
    for frame in (0, 1):
        assert {n: name for (t, n), name in moving.items() if t == frame} == found.classes
    larger = image.replace(
        pixels=np.kron(image.pixels, np.ones((2, 2), np.float32)), spacing=(0.25, 0.25)
    )
    zoomed = method.predict(larger)
    assert set(zoomed.classes) == set(np.unique(zoomed.labels.pixels)) - {0}


@pytest.mark.parametrize("name", LEARN)
def test_without_classes_nothing_is_said_of_them(images, name):
    plain = data.DataSet.of([s.replace(classes=None) for s in images])
    method = methods.get(name)(**TINY)
    method.fit(plain)
    assert (method.domain.classes, method.predict(images[0].image).classes) == ((), None)
    method.begin_fit(data.DataSet.of([s.replace(classes={1: "dim"}) for s in images]))
    assert method.domain.classes == ()  # with one class there is nothing to tell apart


def test_classes_on_the_command_line(run, images, fitted, tmp_path):
    data.write_dataset(images, tmp_path / "set")
    fitted["unet"].tuned = {"threshold": 0.2, "min_size": 0}
    fitted["unet"].save(tmp_path / "m")
    assert (
        run(
            "predict", tmp_path / "m", tmp_path / "set", "--raw", "--out", tmp_path / "r", "--quiet"
        )[0]
        == 0
    )
    rows = list(csv.DictReader((tmp_path / "r" / "s0_classes.csv").read_text().splitlines()))
    assert list(rows[0]) == ["label", "class", "probability"]
    told = json.loads(run("evaluate", tmp_path / "r", tmp_path / "set", "--json")[1])
    assert {name: c["nuclei"] for name, c in told["classes"].items()} == {
        name: sum(list(s.classes.values()).count(name) for s in images)
        for name in ("bright", "dim")
    }
    assert (
        run("decode", tmp_path / "r", "--set", "min_size=100000", "--out", tmp_path / "none")[0]
        == 0
    )
    assert (tmp_path / "none" / "s0_classes.csv").read_text().splitlines() == [
        "label,class,probability"
    ]
    assert run("decode", tmp_path / "r", "--set", "min_size=0", "--out", tmp_path / "same")[0] == 0
    assert (tmp_path / "same" / "s0_classes.csv").read_text() == (
        tmp_path / "r" / "s0_classes.csv"
    ).read_text()


def test_figures_of_classes_need_them_on_both_sides(run, images, tmp_path):
    data.write_dataset(images, tmp_path / "set")
    (tmp_path / "r").mkdir()
    for sample in images:
        (tmp_path / "r" / f"{sample.name}.tif").write_bytes(
            (tmp_path / "set" / "labels" / f"{sample.name}.tif").read_bytes()
        )
    assert "classes" not in json.loads(
        run("evaluate", tmp_path / "r", tmp_path / "set", "--json")[1]
    )
    for sample in images:
        data.write_classes(tmp_path / "r" / f"{sample.name}_classes.csv", sample.classes)
    told = json.loads(run("evaluate", tmp_path / "r", tmp_path / "set", "--json")[1])
    assert (told["classes"]["dim"]["mean_ap"], told["class_accuracy"]) == (1.0, 1.0)
    assert "dim" in run("evaluate", tmp_path / "r", tmp_path / "set")[1]
