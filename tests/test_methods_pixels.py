"""Networks that say what each pixel is: published sizes, classes of pixels from end to end, and the
parts that are theirs alone.
"""

import json

import numpy as np
import pytest
from small import data_sets, make_sample, tiny

from nbtools import data, losses, methods, nets, training
from nbtools.errors import UserError
from nbtools.methods.domain import Domain
from nbtools.nets.attention import GridAttention, PlaceTable
from nbtools.nets.hrnet import HRNetConfig
from nbtools.patches import Example
from nbtools.results import ClassMap
from nbtools.targets.numbered_pixels import NumberedPixelTarget, number_nuclei
from nbtools.targets.pixel_classes import PixelClassTarget, PixelTarget

pytestmark = pytest.mark.usefixtures("step_by_step")
NAMES = ("fpn", "hrnet", "fullnet", "unetr")


def build(name: str, domain: Domain, **settings) -> object:
    method = methods.get(name)(preset="paper", **settings)
    method.domain = domain
    return method.build()


@pytest.mark.parametrize(
    ("encoder", "parameters"),
    # keras.applications without their tops, of 23,587,712, 7,037,504 and 4,049,571 for colours;
    # of one channel the first convolution has 64, 64 and 32 kernels of 7, 7 and 3 pixels less
    [
        ("resnet", 23_587_712 - 2 * 64 * 49),
        ("densenet", 7_037_504 - 2 * 64 * 49),
        ("efficientnet", 4_049_571 - 2 * 32 * 9 - 4),
    ],
)
def test_the_encoders_of_the_preset_paper_have_the_published_sizes(encoder, parameters):
    model = build("fpn", Domain(2), encoder=encoder)
    found = [layer for layer in model.layers if layer.name.startswith("enc0_")]
    assert sum(layer.count_params() for layer in found) == parameters


def test_the_paper_preset_of_hrnet_has_the_published_size():
    """65.8 million learned numbers of HRNetV2-W48 with 19 classes, by the authors' table."""
    model = build("hrnet", Domain(2, channels=3))
    learned = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    ours = model.get_layer("head").count_params()
    assert (learned - ours + 19 * (720 + 1)) / 1e6 == pytest.approx(65.8, abs=0.1)


def test_the_paper_preset_of_fullnet_has_the_published_size():
    """1.78 million by count of the layers that the authors describe, for colour images."""
    model = build("fullnet", Domain(2, channels=3))
    assert round(model.count_params() / 1e6, 2) == 1.78


def test_the_paper_preset_of_unetr_has_the_published_size():
    """92.6 million of volumes of 96 px and 14 classes, learned places left out."""
    names = tuple(f"organ{i}" for i in range(14))
    domain = Domain(3, classes=names)
    model = build("unetr", domain, patch_size=96, patch_depth=96, learns="classes")
    places = model.get_layer("enc_places").count_params()
    assert places == 6**3 * 768
    assert round((model.count_params() - places) / 1e6, 1) == 92.6


@pytest.mark.parametrize("decoder", ["fpn", "unet"])
@pytest.mark.parametrize("encoder", ["densenet", "efficientnet"])
def test_every_encoder_learns_with_either_decoder(encoder, decoder):
    method = tiny("fpn")
    method.settings = method.settings.replace(encoder=encoder, decoder=decoder)
    method.fit(*data_sets(2), plan=training.TrainingPlan(seed=1))
    assert np.isfinite(method.history.rows[-1]["val_loss"])
    assert method.predict(make_sample(5, 2).image).labels is not None


def test_the_published_encoders_are_refused_for_volumes():
    with pytest.raises(UserError, match="Use preset small"):
        build("fpn", Domain(3))


# --- classes of pixels


def make_classes(seed: int, ndim: int) -> data.Sample:
    """A sample whose label image holds classes: background, first blob, second blob."""
    return make_sample(seed, ndim)


def class_sets(ndim: int) -> tuple[data.DataSet, data.DataSet]:
    train = data.DataSet.of([make_classes(2 * i, ndim) for i in range(2)])
    return train, data.DataSet.of([make_classes(8, ndim)])


@pytest.mark.parametrize("ndim", [2, 3])
def test_classes_said_without_error_come_back_and_unlabelled_pixels_are_left_out(ndim):
    label = make_sample(2, ndim).label.pixels.astype(np.int32)
    target = PixelClassTarget(ndim, classes=("background", "a", "b"))
    truth = target.encode(Example(np.zeros((*label.shape, 1)), label=label))
    found = target.decode(target.activate(9 * truth))
    np.testing.assert_array_equal(found.image.pixels, label)
    assert found.names == target.classes
    assert not target.encode(Example(np.zeros((1, 1, 1)), label=np.array([[-1]]))).any()


def test_the_settings_choose_between_nuclei_and_classes():
    domain = Domain(2, classes=("background", "a"))
    assert isinstance(PixelTarget.configure(domain, {"learns": "classes"}), PixelClassTarget)
    assert type(PixelTarget.configure(domain, {"border": "inner"})) is PixelTarget
    found = NumberedPixelTarget.configure(domain, {"learns": "nuclei"})
    assert type(found) is NumberedPixelTarget


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_classes_of_pixels_are_learned_and_kept(name, ndim, tmp_path):
    method = tiny(name)
    names = ("outside", "first", "second")
    method.settings = method.settings.replace(learns="classes", class_names=names)
    method.fit(*class_sets(ndim), plan=training.TrainingPlan(seed=1))
    image = make_sample(4, ndim).image
    found = method.predict(image, raw=True)
    assert isinstance(found.result, ClassMap)
    assert (method.task.name, found.result.names) == ("semantic", names)
    assert found.result.image.shape == image.shape
    method.save(tmp_path / "model")
    again = methods.load(tmp_path / "model").predict(image).result
    np.testing.assert_array_equal(again.image.pixels, found.result.image.pixels)
    assert again.names == names


@pytest.mark.parametrize(
    ("change", "settings", "remedy"),
    [
        (lambda p: p * 40, {}, "Leave out learns=classes"),
        (lambda p: p * 0, {}, "Leave out learns=classes"),
        (lambda p: p, {"class_names": ("a", "b")}, "Give one name per number"),
    ],
)
def test_label_images_that_hold_no_classes_are_refused(change, settings, remedy):
    sample = make_sample(2, 2)
    label = sample.label.replace(pixels=change(sample.label.pixels))
    method = tiny("hrnet")
    method.settings = method.settings.replace(learns="classes", **settings)
    with pytest.raises(UserError, match=remedy):
        method.fit(data.DataSet.of([sample.replace(label=label)]))


def test_classes_go_from_the_command_line_to_scores_per_class(run, tmp_path):
    train, val = class_sets(2)
    data.write_dataset(train, tmp_path / "train")
    data.write_dataset(val, tmp_path / "val")
    words = ["learns=classes", "class_names=outside,first,second", "preset=tiny", "epochs=1"]
    words += ["steps_per_epoch=2", "patch_size=32"]
    about = ["--val", tmp_path / "val", "--out", tmp_path / "model"]
    sets = [part for word in words for part in ("--set", word)]
    code, _, err = run("train", "fpn", tmp_path / "train", *about, *sets)
    assert code == 0, err
    found = tmp_path / "found"
    code, _, err = run("predict", tmp_path / "model", tmp_path / "val", "--out", found)
    assert code == 0, err
    told = json.loads((found / "result.json").read_text())
    assert told["task"] == "semantic"
    truth = tmp_path / "val"
    code, out, err = run("evaluate", found, truth, "--task", "semantic", "--json")
    assert code == 0, err
    scores = json.loads(out)
    assert list(scores["per_class"]) == ["outside", "first", "second"]
    assert np.array(scores["confusion"]).sum() == val[0].label.pixels.size
    code, out, err = run("compare", found, "--truth", truth, "--task", "semantic", "--json")
    assert code in (0, 1), err
    assert "otsu" in out


def test_labels_of_nuclei_serve_as_a_map_of_the_foreground(run, tmp_path):
    data.write_dataset(data.DataSet.of([make_sample(4, 2)]), tmp_path / "set")
    out = tmp_path / "found"
    code, _, err = run("predict", "otsu", tmp_path / "set", "--task", "semantic", "--out", out)
    assert code == 0, err
    code, text, err = run("evaluate", out, tmp_path / "set", "--task", "semantic", "--json")
    assert code == 0, err
    assert json.loads(text)["iou"] > 0.9
    assert {"unet", *NAMES} <= set(methods.names("semantic"))


# --- parts of single networks


def test_the_variance_within_nuclei_is_that_of_numpy(rng):
    values = rng.random((2, 8, 9)).astype(np.float32)
    number = rng.integers(0, 4, values.shape).astype(np.float32)
    number[1] = 0
    wanted = np.mean([values[0][number[0] == n].var() for n in (1, 2, 3)])
    found = np.asarray(losses.mean_variance(values, number, most=256))
    np.testing.assert_allclose(found, [wanted, 0], atol=1e-6)


def test_an_even_nucleus_costs_less_than_an_uneven_one_of_the_same_entropy():
    label = np.zeros((1, 4), np.int32)
    label[0, :2] = 7
    target = NumberedPixelTarget(border="inner", border_weight=1.0)
    truth = np.zeros((1, 1, 2, 5), np.float32)
    truth[..., 1], truth[..., 3], truth[..., 4] = 1, 1, 1
    share = {"even": [0.5, 0.5], "uneven": [0.25, 1.0]}  # one mean of the logarithms
    costs = {}
    for name, inside in share.items():
        p = np.array(inside, np.float32)
        raw = np.log(np.stack([(1 - p) / 2 + 1e-7, p, (1 - p) / 2 + 1e-7], axis=-1))
        loss = losses.even_nuclei(256, weight=1.0)
        costs[name] = float(loss(truth, raw[None, None].astype(np.float32))[0])
    assert costs["uneven"] - costs["even"] == pytest.approx(0.375**2, abs=1e-5)
    patch = Example(np.zeros((1, 4, 1)), label=label)
    assert target.encode(patch)[0, :, 4].tolist() == [1, 1, 0, 0]


def test_nuclei_beyond_the_most_have_no_number():
    label = np.arange(1, 300)
    assert number_nuclei(label)[[0, 254, 255, 298]].tolist() == [1, 255, 0, 0]


@pytest.mark.parametrize("space", [(3, 4), (2, 3, 2)])
def test_attention_is_the_published_formula(rng, space):
    layer = GridAttention(2)
    x = rng.normal(size=(1, *space, 4)).astype(np.float32)
    found = np.asarray(layer(x)).reshape(-1, 4)
    ask, tell = np.asarray(layer.ask), np.asarray(layer.tell)
    parts = (x.reshape(-1, 4) @ ask).reshape(-1, 3, 2, 2)
    wanted = []
    for head in range(2):
        q, k, v = parts[:, 0, head], parts[:, 1, head], parts[:, 2, head]
        odds = np.exp(q @ k.T / np.sqrt(2))
        wanted.append(odds / odds.sum(axis=1, keepdims=True) @ v)
    np.testing.assert_allclose(found, np.concatenate(wanted, axis=1) @ tell, atol=1e-5)


def test_a_table_of_places_is_cut_and_repeated():
    layer = PlaceTable((2, 3))
    whole = np.asarray(layer(np.zeros((1, 2, 3, 1), np.float32)))
    cut = np.asarray(layer(np.zeros((1, 1, 2, 1), np.float32)))
    np.testing.assert_array_equal(cut, whole[:, :1, :2])
    wide = np.asarray(layer(np.zeros((1, 2, 6, 1), np.float32)))
    np.testing.assert_array_equal(wide[:, :, 3:], whole)


def test_branches_of_a_volume_with_far_planes_are_halved_in_the_plane_first():
    strides = nets.plan_halvings(3, (2.0, 1.0, 1.0), ndim=3)
    assert strides == ((1, 2, 2), (2, 2, 2))
    model = nets.hrnet(3, outputs=2, strides=strides, config=HRNetConfig(widths=(2, 3, 4)))
    assert model(np.zeros((1, 2, 8, 8, 1), np.float32)).shape == (1, 2, 8, 8, 2)
    assert model.get_layer("enc1_new").output.shape[-1] == 3


def test_an_image_without_nuclei_has_no_variance_and_a_finite_loss():
    truth = np.zeros((1, 4, 4, 5), np.float32)
    truth[..., 0] = truth[..., 3] = 1
    cost = losses.even_nuclei(256, weight=1.0)(truth, np.zeros((1, 4, 4, 3), np.float32))
    assert float(cost[0]) == pytest.approx(np.log(3), abs=1e-5)
