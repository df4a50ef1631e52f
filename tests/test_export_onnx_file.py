"""Twin of export.onnx_file: the graph predicts what the network does, on several sizes."""

import json
from pathlib import Path

import numpy as np
import pytest

from nbtools import export, methods, runtime
from nbtools.cli import main
from nbtools.errors import UserError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
onnx_file = runtime.load_quietly("nbtools.export.onnx_file")
stock_layers = runtime.load_quietly("nbtools.export.stock_layers")
keras = onnx_file.keras

MODELS = Path(__file__).resolve().parent / "golden" / "models"
# one of each kind of layer: a PSF, grey values restored, blocks of pixels, attention to channels,
# rays of stars; norms of whole images are among the networks of all methods
KINDS = ["deconoising_3D", "n2v_2D", "fast_nuclei_3D", "rcan_2D", "stardist_3D"]


def run(path: Path, image: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})


@pytest.mark.parametrize("name", KINDS)
def test_an_onnx_file_predicts_what_the_exported_keras_network_does(tmp_path, rng, name):
    method = methods.load(MODELS / name)
    path = export.write_model(method, tmp_path / "net", format="onnx")
    graph = stock_layers.build_graph(method)
    for space in onnx_file.list_sizes(graph, grid=method.field.grid):
        grey = 1 if method.scale is None else 1000
        image = grey * rng.random((1, *space, graph.inputs[0].shape[-1]), np.float32)
        wanted = np.asarray(graph(image))
        found = run(path, image)[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_the_file_holds_stock_operators_and_float32_weights_alone(tmp_path):
    path = export.write_model(
        methods.load(MODELS / "unet_2D"), tmp_path / "net.onnx", format="onnx"
    )
    model = onnx.load(path)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    kinds = {one.data_type for one in model.graph.initializer if len(one.dims) > 1}
    assert kinds == {onnx.TensorProto.FLOAT}
    assert model.graph.input[0].name == "image"
    assert [one.name for one in model.graph.output] == ["output"]
    assert [
        d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim
    ] == [
        "batch",
        "y",
        "x",
        1,
    ]
    about = json.loads({one.key: one.value for one in model.metadata_props}["nbtools"])
    assert (about["method"], about["axes"]) == ("unet", "YX")


@pytest.mark.slow
@pytest.mark.parametrize("name", [row.name for row in methods.ROWS if row.trained])
def test_the_network_of_every_method_goes_as_onnx(tmp_path, name):
    method = methods.get(name)()
    known = {one.name: one for one in method.Settings.declarations()}
    if "tiny" in ((known.get("preset") and known["preset"].choices) or ()):
        method = methods.get(name)(preset="tiny")
    if not hasattr(method, "build") or not method.is_one_graph:
        pytest.skip(f"{name} is no graph of Keras built here")
    method.adopt(method.build())
    graph = stock_layers.use_stock_layers(method.network)
    assert onnx_file.write_onnx(graph, tmp_path / "net.onnx", grid=method.field.grid) < 1e-4


def test_outputs_keep_their_names(tmp_path, rng):
    x = keras.Input((None, None, 1))
    net = keras.Model(x, {"size": x * 2, "heat": x + 1})
    onnx_file.write_onnx(net, tmp_path / "net.onnx", grid=(1, 1))
    image = rng.random((2, 16, 24, 1), np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    heat, size = session.run(["heat", "size"], {"image": image})
    assert np.allclose(heat, image + 1)
    assert np.allclose(size, image * 2)


def test_a_file_that_predicts_something_else_is_refused(tmp_path, rng):
    x = keras.Input((None, None, 1))
    first, other = (keras.Model(x, keras.layers.Conv2D(1, 3, padding="same")(x)) for _ in range(2))
    onnx_file.write_onnx(first, tmp_path / "net.onnx", grid=(1, 1))
    assert onnx_file.compare(first, tmp_path / "net.onnx", grid=(1, 1)) < 1e-5
    assert onnx_file.compare(other, tmp_path / "net.onnx", grid=(1, 1)) > 1e-2


def test_without_the_packages_the_remedy_names_them(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    with pytest.raises(UserError, match="pip install onnx onnxruntime tf2onnx"):
        export.write_model(methods.load(MODELS / "unet_2D"), tmp_path / "net", format="onnx")
    assert not list(tmp_path.iterdir())


def test_a_size_that_no_step_gives_is_refused_by_the_program_that_runs_it(tmp_path):
    path = export.write_model(methods.load(MODELS / "unet_2D"), tmp_path / "net", format="onnx")
    with pytest.raises(Exception, match="Concat"):
        run(path, np.zeros((1, 33, 47, 1), np.float32))


def test_the_command_writes_onnx_and_says_how_to_scale(tmp_path, capsys):
    arguments = ["export", str(MODELS / "unet_2D"), "--format", "onnx", "--json"]
    assert main([*arguments, "--out", str(tmp_path / "net")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"].endswith("net.onnx")
    assert (tmp_path / "net.onnx").exists()
