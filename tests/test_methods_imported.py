"""Twin of methods.imported and nbtools import: packages of others predict as they declare it."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nbtools import export, io, methods
from nbtools.cli import main
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods.bioimageio_package import read_package
from nbtools.methods.declared_steps import run_steps
from nbtools.patches import Example
from nbtools.targets.foreground_and_border import ForegroundBorderTarget

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
yaml = pytest.importorskip("yaml")

MODELS = Path(__file__).resolve().parent / "golden" / "models"
KERNEL = np.zeros((2, 1, 3, 3), np.float32)
KERNEL[0, 0, 1, 1], KERNEL[1, 0, 1, 2] = 1, 1  # the image, and the image moved by a pixel


def write_network(path: Path) -> None:
    """(b, 1, y, x) → (b, 2, y, x): the image, and the image one pixel to the right of it."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    node = helper.make_node("Conv", ["raw", "kernel"], ["maps"], pads=[1, 1, 1, 1])
    given = helper.make_tensor_value_info("raw", kind, ["b", 1, "y", "x"])
    found = helper.make_tensor_value_info("maps", kind, ["b", 2, "y", "x"])
    kernel = onnx.numpy_helper.from_array(KERNEL, "kernel")
    graph = helper.make_graph([node], "net", [given], [found], [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.save(model, path)


def write_package(folder: Path, **changes) -> Path:
    """A package of description 0.4, as older models of the zoo have it."""
    folder.mkdir()
    write_network(folder / "net.onnx")
    about = {
        "type": "model",
        "format_version": "0.4.9",
        "name": "moved",
        "license": "MIT",
        "inputs": [
            {
                "name": "raw",
                "axes": "bcyx",
                "shape": {"min": [1, 1, 16, 16], "step": [0, 0, 8, 8]},
                "preprocessing": [{"name": "scale_linear", "kwargs": {"gain": 0.5}}],
            }
        ],
        "outputs": [
            {
                "name": "maps",
                "axes": "bcyx",
                "halo": [0, 0, 8, 8],
                "shape": {"reference_tensor": "raw", "scale": [1, 1, 1, 1], "offset": [0] * 4},
            }
        ],
        "weights": {"onnx": {"source": "net.onnx", "opset_version": 15}},
    }
    (folder / "rdf.yaml").write_text(yaml.safe_dump(about | changes))
    return folder


def test_a_package_of_the_older_description_predicts_what_its_graph_says(tmp_path, rng):
    folder = write_package(tmp_path / "package")
    out = tmp_path / "model"
    assert main(["import", str(folder), "--out", str(out), "--task", "restoration"]) == 0
    model = methods.load(out)
    pixels = rng.random((37, 53), np.float32)  # no multiple of the step
    maps = model.infer(pixels[..., None])
    assert np.allclose(maps[..., 0], 0.5 * pixels, atol=1e-6)
    assert np.allclose(maps[:, :-1, 1], 0.5 * pixels[:, 1:], atol=1e-6)


def test_tiles_give_what_the_whole_image_does(tmp_path, rng):
    main(["import", str(write_package(tmp_path / "p")), "--out", str(tmp_path / "m")])
    model = methods.load(tmp_path / "m")
    pixels = rng.random((90, 110, 1), np.float32)
    whole, tiled = (model.tiles(model.run_tile, pixels, tile=t) for t in (None, (48, 48)))
    assert np.array_equal(whole, tiled)


def test_our_own_package_comes_back_with_the_maps_it_left_with(tmp_path, rng):
    pytest.importorskip("tf2onnx")
    ours = methods.load(MODELS / "unet_2D")
    path = export.write_model(ours, tmp_path / "net", format="bioimageio")
    out = tmp_path / "model"
    assert main(["import", str(path), "--out", str(out)]) == 0
    theirs = methods.load(out)
    from nbtools.export import bioimageio

    pixels = rng.random((70, 83, 1), np.float32) * 1000
    wanted = ours.inference()(ours.run, bioimageio.preprocess(ours, pixels))
    assert np.abs(theirs.infer(pixels)[..., 0] - wanted[..., 0]).max() < 1e-4
    assert theirs.given.step == ours.field.grid


def test_the_command_line_predicts_with_an_imported_model(tmp_path, capsys):
    image = np.zeros((40, 60), np.float32)
    image[5:15, 5:15] = image[20:35, 30:50] = 2.0
    io.write_image(tmp_path / "images" / "a.tif", Image(image, "YX"))
    folder, model = write_package(tmp_path / "package"), tmp_path / "model"
    words = ["import", str(folder), "--out", str(model), "--channels", "0", "--json"]
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["licence"] == "MIT"
    assert (
        main(["predict", str(model), str(tmp_path / "images"), "--out", str(tmp_path / "r")]) == 0
    )
    label = io.read_label(tmp_path / "r" / "a.tif").pixels
    assert len(np.unique(label)) == 3
    assert np.array_equal(label > 0, image > 0)


def test_a_zip_with_a_folder_in_it_is_taken_too(tmp_path):
    folder = write_package(tmp_path / "package")
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"package/{path.name}")
    words = ["import", str(tmp_path / "package.zip"), "--out", str(tmp_path / "model")]
    assert main(words) == 0


def test_what_cannot_be_done_as_declared_is_refused(tmp_path, capsys):
    torch = {"pytorch_state_dict": {"source": "net.pt"}}
    folder = write_package(tmp_path / "code", weights=torch)
    assert main(["import", str(folder), "--out", str(tmp_path / "m")]) == 2
    assert "ONNX weights" in capsys.readouterr().err
    outside = {"onnx": {"source": "../net.onnx"}}
    folder = write_package(tmp_path / "outside", weights=outside)
    with pytest.raises(UserError, match="beside the description"):
        read_package(folder)
    other = {"onnx": {"source": "net.onnx", "sha256": "0" * 64}}
    with pytest.raises(UserError, match="SHA-256"):
        read_package(write_package(tmp_path / "other", weights=other))
    (tmp_path / "other" / "rdf.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(UserError, match="valid YAML"):
        read_package(tmp_path / "other")


def test_an_unknown_step_is_refused_by_name():
    with pytest.raises(UserError, match="magic"):
        run_steps(np.zeros((2, 2)), [{"id": "magic"}], axes="yx")


def test_steps_are_those_of_the_specification():
    image = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    steps = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}]
    found = run_steps(image, steps, axes="cyx")
    assert np.allclose(found.mean(axis=(1, 2)), 0, atol=1e-6)
    assert np.allclose(found.std(axis=(1, 2)), 1, atol=1e-5)
    fixed = [{"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": [0, 4], "std": [1, 2]}}]
    assert np.allclose(run_steps(image, fixed, axes="cyx")[1], [[0, 0.5], [1, 1.5]], atol=1e-4)


def test_foreground_and_border_give_touching_nuclei_back():
    label = np.zeros((20, 30), np.int32)
    label[3:15, 3:14], label[3:15, 14:27] = 1, 2
    target = ForegroundBorderTarget()
    maps = target.encode(Example(image=None, label=label))
    assert np.array_equal(target.find_labels(maps, threshold=0.5, min_size=0), label)


def test_a_model_of_the_stardist_package_is_imported(tmp_path, rng):
    method = methods.load(MODELS / "stardist_2D")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    config = json.dumps(vars(method.inner.config), default=lambda value: value.item())
    (theirs / "config.json").write_text(config)
    method.inner.keras_model.save_weights(str(theirs / "weights_best.h5"))
    (theirs / "thresholds.json").write_text(json.dumps({"prob": 0.4, "nms": 0.3}))
    assert main(["import", str(theirs), "--out", str(tmp_path / "model")]) == 0
    again = methods.load(tmp_path / "model")
    pixels = rng.random((64, 64, 1), np.float32)
    assert np.allclose(again.run(pixels), method.run(pixels), atol=1e-5)
    assert again.decoding_values()["threshold"] == 0.4
