"""Methods that classify: what they see, how sure they are, and that none of it leaks."""

import json
from itertools import pairwise

import keras
import numpy as np
import pytest
from small import make_sample

from nbtools import data, methods, nets, simulate, training
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure.appearance import describe_appearance
from nbtools.methods.cross_validation import (
    LEAKING,
    assign_folds,
    compare_inputs,
    cross_validate,
    describe_confounding,
)
from nbtools.methods.image_classes import weigh_classes
from nbtools.targets.image_class import find_temperature, temper

# arXiv:1512.03385 and keras.io/api/applications, with 1000 classes and three channels
PUBLISHED = {"resnet50": 25_636_712, "densenet121": 8_062_504, "efficientnetb0": 5_330_571}
VGG_WIDTHS = (64, 64, 128, 128, *[256] * 3, *[512] * 6)  # Table 1, D, of arXiv:1409.1556


def make_cell(seed: int, kind: str, *, size: int = 32, gain: float = 1.0) -> data.Sample:
    """A disc, bright or dim, in noise."""
    rng = np.random.default_rng(seed)
    disc = np.hypot(*(np.indices((size, size)) - size / 2 + rng.uniform(-1, 1))) < 9
    level = {"dim": 100, "bright": 160}[kind] * rng.normal(1, 0.05)
    pixels = gain * (50 + level * disc + rng.normal(0, 5, disc.shape))
    name = f"{kind}{seed}"
    return data.Sample(name, Image(pixels.astype(np.float32), "YX", name=name), class_name=kind)


def make_cells(count: int = 12, **about) -> data.DataSet:
    return data.DataSet.of([make_cell(i, ("dim", "bright")[i % 2], **about) for i in range(count)])


@pytest.fixture(scope="module")
def forest() -> methods.Method:
    method = methods.get("feature_forest")(trees=40)
    method.fit(make_cells(), make_cells(20), plan=training.TrainingPlan(seed=1))
    return method


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "efficientnetb0"])
def test_published_networks_have_their_published_number_of_parameters(name):
    assert nets.paper_classifier(name).count_params() == PUBLISHED[name]


def test_the_convolutions_of_vgg_are_those_of_its_paper():
    widths = (3, *VGG_WIDTHS)
    wanted = sum(9 * a * b + b for a, b in pairwise(widths))
    head = 512 * 1000 + 1000
    assert nets.paper_classifier("vgg16").count_params() == wanted + head
    assert wanted == 14_714_688  # also that of keras.applications, without its top


def test_a_published_network_is_given_the_grey_values_that_it_is_handed():
    """That of Keras divides by 255: the first convolution would see next to nothing."""
    network = nets.paper_classifier("efficientnetb0", channels=2, outputs=3)
    first = next(la for la in network.layers if isinstance(la, keras.layers.Conv2D))
    before = keras.Model(network.input, first.input)
    image = np.random.default_rng(0).normal(size=(1, 32, 32, 2)).astype(np.float32)
    seen = (
        np.asarray(before(image))[:, 1:-1, 1:-1] if before.output_shape[1] != 32 else before(image)
    )
    assert float(np.std(np.asarray(seen))) == pytest.approx(1, abs=0.15)


def test_brightness_is_a_signal_and_the_same_in_every_image():
    method = methods.get("resnet")(preset="tiny")
    method.begin_fit(make_cells())
    bright, dim = (
        method.normalise(make_cell(5, k).image.pixels[..., None]) for k in ("bright", "dim")
    )
    assert bright[1].apply(bright[0]).mean() > dim[1].apply(dim[0]).mean() + 0.1
    apart = methods.get("resnet")(preset="tiny", scaling="image")
    apart.begin_fit(make_cells())
    pairs = [apart.normalise(make_cell(5, "dim", gain=g).image.pixels[..., None]) for g in (1, 3)]
    one, three = (scale.apply(pixels) for pixels, scale in pairs)
    np.testing.assert_allclose(one, three, atol=1e-4)


def test_a_forest_tells_dim_from_bright_and_is_calibrated(forest):
    assert forest.history.best["val_balanced_accuracy"] == 1
    assert forest.predict(make_cell(31, "bright").image).result.best == ["bright"]
    assert "temperature" in forest.tuned


def test_a_forest_is_arrays_without_a_pickle(forest, tmp_path):
    forest.save(tmp_path)
    arrays = np.load(tmp_path / "weights.npz", allow_pickle=False)
    assert arrays["share"].shape[1] == 2
    told = json.loads((tmp_path / "model.json").read_text())
    assert len(told["features"]) == len(forest.features)
    np.savez(tmp_path / "weights.npz", **dict(arrays) | {"share": arrays["share"][:, :1]})
    with pytest.raises(UserError, match="lead nowhere"):
        methods.load(tmp_path)


def test_a_disc_is_described_by_its_area_and_its_light():
    disc = (np.hypot(*np.mgrid[-20:21, -20:21]) < 10) * 200.0 + 50
    found = describe_appearance(Image(disc, "YX"))
    assert found["area_0"] * disc.size == pytest.approx(np.pi * 100, rel=0.03)
    assert found["light_0"] == pytest.approx(200 * np.pi * 100, rel=0.03)
    assert found["elongation_of_light_0"] == pytest.approx(1, abs=0.02)
    assert all(np.isfinite(value) for value in found.values())


def test_temperature_makes_a_sure_liar_honest():
    truth = np.array([0] * 70 + [1] * 30)
    sure = np.tile([0.999, 0.001], (100, 1))
    assert temper(sure, find_temperature(sure, truth))[0, 0] == pytest.approx(0.7, abs=0.01)


def test_weights_of_classes_make_them_count_alike():
    numbers = np.array([0] * 90 + [1] * 10)
    weights = weigh_classes(numbers, count=2)
    assert weights[0] * 90 == pytest.approx(weights[1] * 10)
    assert weights[numbers].mean() == pytest.approx(1)


def test_folds_keep_groups_together_and_refuse_a_class_of_one_group():
    groups = np.repeat(["a", "b", "c", "d"], 3)
    classes = np.repeat(["wild", "mutant"], 6)
    fold = assign_folds(classes, groups, folds=2)
    assert all(len(set(fold[groups == g])) == 1 for g in "abcd")
    assert all(set(classes[fold == f]) == {"wild", "mutant"} for f in (0, 1))
    with pytest.raises(UserError, match="two groups or more"):
        assign_folds(["wild", "mutant", "mutant"], ["a", "b", "b"], folds=2)
    assert "group b" in describe_confounding(["wild", "mutant", "mutant"], ["a", "b", "b"])[0]


def test_a_session_that_goes_with_the_class_leaks_into_a_random_split():
    """Each group has its own gain, and no class differs in anything."""
    sessions = {"wild 1": 1.0, "mutant 1": 1.3, "mutant 2": 1.6, "wild 2": 1.9}
    samples = []
    for number in range(32):
        group, gain = list(sessions.items())[number % 4]
        made = make_cell(number, "dim", gain=gain)
        samples.append(made.replace(class_name=group.split()[0], group=group))
    cells, groups = data.DataSet.of(samples), [s.group for s in samples]
    cls = methods.get("feature_forest")
    apart = cross_validate(cls(trees=30), cells, groups=groups, folds=2)
    leaking = cross_validate(cls(trees=30), cells, groups=range(32), folds=2)
    assert leaking["balanced_accuracy"] > 0.8
    assert apart["balanced_accuracy"] < 0.75


def test_inputs_without_grey_values_tell_size_and_not_brightness():
    samples = []
    for number in range(40):
        made = make_cell(number, ("dim", "bright")[number % 2])
        mask = (np.hypot(*(np.indices((32, 32)) - 16)) < 9).astype(np.float32)
        pixels = np.stack([made.image.pixels, mask], axis=-1)
        image = Image(pixels, "YXC", channels=("DNA", "mask"), name=made.name)
        samples.append(made.replace(image=image, group=str(number // 2)))
    cells = data.DataSet.of(samples)
    cls = methods.get("feature_forest")
    groups = [s.name for s in samples]
    found = compare_inputs(cls(trees=20), cells, groups=groups, folds=2)
    assert LEAKING not in found  # each image is its own group
    assert found["complete"]["balanced_accuracy"] > 0.9
    assert found["intensity only"]["balanced_accuracy"] > 0.9
    assert found["mask only"]["balanced_accuracy"] < 0.75


def test_nuclei_with_a_class_per_label_are_cut_and_learned_from(run, tmp_path):
    settings = {"count": 3, "plants": 2, "shape_px": (16, 56, 56), "effect": "all"}
    volumes = simulate.make("classes", count=4, seed=0, settings=settings)
    data.write_dataset(volumes, tmp_path / "volumes")
    code, _, err = run(
        "train",
        "feature_forest",
        tmp_path / "volumes",
        "--out",
        tmp_path / "model",
        "--set",
        "trees=20",
    )
    assert code == 0, err
    model, sample = methods.load(tmp_path / "model"), volumes[0]
    found = model.predict_nuclei(sample.image, sample.label).result
    assert list(found.label) == [1, 2, 3]
    assert found.probability.shape == (3, 2)
    code, _, err = run("predict", tmp_path / "model", tmp_path / "volumes", "--out", tmp_path / "o")
    assert code == 0, err
    rows = (tmp_path / "o" / "classes.csv").read_text().splitlines()
    assert rows[0] == "name,label,class,probability,mutant,wild type"
    assert len(rows) == 1 + 4 * 3


def test_a_network_that_has_learned_classes_gives_its_encoder_to_another_task():
    first = methods.get("resnet")(preset="tiny")
    first.begin_fit(make_cells(4))
    first.adopt(first.build())
    second = methods.get("resnet")(preset="tiny")
    second.start_from(first, parts="encoder")
    four = [s.replace(class_name=f"class {i}") for i, s in enumerate(make_cells(4))]
    second.begin_fit(data.DataSet.of(four))
    second.adopt(second.build())
    second.prepare_network()
    ours, theirs = (m.model.get_layer("enc0_block0_conv0").get_weights() for m in (second, first))
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert second.origin["layers"] == second.origin["of"]


def test_an_image_smaller_than_the_network_s_stride_is_predicted():
    method = methods.get("vgg")(preset="tiny")
    method.begin_fit(data.DataSet.of([make_sample(i, 2) for i in range(3)]))
    method.adopt(nets.pooled(2, kind="plain", filters=(4, 4, 4, 4), blocks=1))
    image = Image(np.zeros((3, 5), np.float32), "YX")
    assert method.predict(image).result.probability.shape == (1, 2)
