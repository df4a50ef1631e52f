"""Twin of methods.csbdeep_model and methods.imported_care: what csbdeep predicts, without it."""

import json
import shutil

import h5py
import numpy as np
import pytest

from nbtools import io, methods, runtime
from nbtools.cli import main
from nbtools.errors import UserError
from nbtools.image import Image

SMALL = {"unet_n_first": 4, "unet_n_depth": 1, "unet_kern_size": 3, "train_tensorboard": False}
KINDS = {
    "plane": ("YX", 1, {}),
    "volume": ("ZYX", 1, {"unet_n_depth": 1}),
    "deep": ("YX", 2, {"unet_n_depth": 2, "unet_kern_size": 5}),
    "probabilistic": ("YX", 1, {"probabilistic": True}),
    "plain": ("YX", 1, {"unet_last_activation": "relu", "unet_residual": False}),
}


@pytest.fixture(params=KINDS)
def care(request, tmp_path):
    """A model as csbdeep writes it, and its folder."""
    models = runtime.load_quietly("csbdeep.models")
    axes, channels, about = KINDS[request.param]
    config = models.Config(axes, channels, channels, **(SMALL | about))
    model = models.CARE(config, name="net", basedir=str(tmp_path))
    rng = np.random.default_rng(0)
    # biases are zero at first, and a bias in a wrong place would not be seen
    weights = [w + rng.normal(0, 0.05, w.shape) for w in model.keras_model.get_weights()]
    model.keras_model.set_weights(weights)
    model.keras_model.save_weights(str(tmp_path / "net" / "weights_best.h5"))
    return model, tmp_path / "net"


def test_an_imported_model_predicts_what_csbdeep_does(care, tmp_path, rng):
    theirs, folder = care
    out = tmp_path / "ours"
    assert main(["import", str(folder), "--out", str(out)]) == 0
    ours = methods.load(out)
    axes, channels = theirs.config.axes, theirs.config.n_channel_in
    space = (11, 30, 37) if "Z" in axes else (61, 46)  # no multiples of the poolings
    pixels = (1000 * rng.random((*space, channels))).astype(np.float32)
    wanted = theirs.predict(pixels, axes)
    found = ours.infer(pixels)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_tiles_give_what_the_whole_image_does(care, rng):
    _, folder = care
    model = methods.get("imported_care").import_folder(folder)
    space = (12, 40, 40) if model.domain.ndim == 3 else (96, 80)
    pixels = rng.random((*space, model.domain.channels), np.float32)
    whole, tiled = (model.infer(pixels, tile=t) for t in (None, (32,) * len(space)))
    assert np.abs(whole - tiled).max() < 1e-5


def make_folder(place, **changes):
    """A folder of a small network, written by hand."""
    about = {
        "axes": "YXC",
        "n_channel_in": 1,
        "n_channel_out": 1,
        "probabilistic": False,
        "unet_residual": True,
        "unet_n_depth": 1,
        "unet_kern_size": 3,
        "unet_n_first": 2,
        "unet_last_activation": "linear",
    }
    place.mkdir()
    (place / "config.json").write_text(json.dumps(about | changes))
    shapes = {
        "down_level_0_no_0": (3, 3, 1, 2),
        "down_level_0_no_1": (3, 3, 2, 2),
        "middle_0": (3, 3, 2, 4),
        "middle_2": (3, 3, 4, 2),
        "up_level_0_no_0": (3, 3, 4, 2),
        "up_level_0_no_2": (3, 3, 2, 2),
        "conv2d_7": (1, 1, 2, 1),
    }
    with h5py.File(place / "weights_best.h5", "w") as file:
        for name, shape in shapes.items():
            group = file.create_group(f"{name}/{name}")
            group["kernel:0"] = np.zeros(shape, np.float32)
            group["bias:0"] = np.zeros(shape[-1], np.float32)
    return place


def test_a_network_of_zeros_with_the_image_added_gives_the_image(tmp_path, capsys):
    """Of a residual network without weights nothing but the image is left."""
    folder, out = make_folder(tmp_path / "net"), tmp_path / "model"
    assert main(["import", str(folder), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["method"] == "imported_care"
    pixels = np.random.default_rng(0).integers(0, 60_000, (33, 41)).astype(np.uint16)
    io.write_image(tmp_path / "images" / "a.tif", Image(pixels, "YX"))
    words = ["predict", str(out), str(tmp_path / "images"), "--out", str(tmp_path / "result")]
    assert main(words) == 0
    found = io.read_image(tmp_path / "result" / "a.tif").pixels
    assert np.abs(found - pixels).max() < 1e-2


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"n_channel_out": 2}, "axes and channels"),
        ({"proj_n_depth": 4}, "axes and channels"),
        ({"unet_last_activation": "lambda"}, "unet_last_activation"),
        ({"unet_n_depth": 40}, "unet_n_depth"),
        ({"unet_n_first": 4}, "weights of its configuration"),
        ({"axes": "TYXC"}, "axes"),
    ],
)
def test_another_network_is_refused(tmp_path, capsys, changes, word):
    folder = make_folder(tmp_path / "net", **changes)
    assert main(["import", str(folder), "--out", str(tmp_path / "model")]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_weights_that_are_damaged_or_elsewhere_are_refused(tmp_path):
    get = methods.get("imported_care").import_folder
    folder = make_folder(tmp_path / "net")
    shutil.copytree(folder, tmp_path / "linked")
    with h5py.File(tmp_path / "linked" / "weights_best.h5", "w") as file:
        file["middle_0"] = h5py.ExternalLink(str(folder / "weights_best.h5"), "/middle_0")
    with pytest.raises(UserError, match="weights of its configuration"):
        get(tmp_path / "linked")
    (folder / "weights_best.h5").write_bytes(b"no file of numbers")
    with pytest.raises(UserError, match="weights of its configuration"):
        get(folder)
    (folder / "weights_best.h5").unlink()
    with pytest.raises(UserError, match="no such file"):
        get(folder)


def test_an_imported_model_cannot_learn(tmp_path):
    model = methods.get("imported_care").import_folder(make_folder(tmp_path / "net"))
    with pytest.raises(UserError, match="cannot learn"):
        model.learn([], None, plan=None, history=None)
