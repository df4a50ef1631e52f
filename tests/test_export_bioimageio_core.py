"""Packages of the shipped weights in the hands of bioimageio.core, where it is installed."""

import json
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from other_python import PYTHON as CORE
from other_python import has

from nbtools import data, export, methods, runtime

yaml = pytest.importorskip("yaml")
pytest.importorskip("tf2onnx")
onnx_file = runtime.load_quietly("nbtools.export.onnx_file")
package = runtime.load_quietly("nbtools.export.bioimageio")

SHIPPED = ["nuclei2d", "nuclei2d_small", "nuclei2d_flows", "nuclei2d_histology", "nuclei3d"]
SHIPPED += ["denoise2d"]
TEST = """
import json, sys
from bioimageio.core import test_model
found = {}
for kind in sys.argv[2].split(","):
    summary = test_model(sys.argv[1], weight_format=kind)
    errors = [e.msg for d in summary.details for e in d.errors]
    found[kind] = [summary.status, errors]
print("FOUND" + json.dumps(found))
"""
FRESH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "nbtools":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
import numpy as np
from bioimageio.core import create_prediction_pipeline, load_model
from bioimageio.core.digest_spec import create_sample_for_model
model = load_model(sys.argv[1])
run = create_prediction_pipeline(model).predict_sample_without_blocking
for place, margin in ((sys.argv[3], False), (sys.argv[4], True)):
    sample = create_sample_for_model(model, inputs={"image": np.load(sys.argv[2])})
    options = {} if margin else {"skip_input_padding": True, "skip_output_cropping": True}
    np.save(place, np.asarray(run(sample, **options).members["maps"].data))
"""


needs_core = pytest.mark.skipif(
    not has("bioimageio.core"), reason="bioimageio.core is not installed"
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Name of weights and format → package, each written once."""
    folder, made = tmp_path_factory.mktemp("shipped"), {}

    def make(name: str, kind: str = "bioimageio") -> Path:
        if (name, kind) not in made:
            model, path = methods.load(name), folder / f"{name}_{kind}"
            card = export.ModelCard(authors=("Ada Lovelace",), licence="CC-BY-4.0")
            made[name, kind] = export.write_model(model, path, format=kind, card=card)
        return made[name, kind]

    return make


@needs_core
@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_bioimageio_core_gives_the_test_output_with_both_weights(packages, name):
    words = [CORE, "-c", TEST, str(packages(name)), "onnx,keras_v3"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "FOUND" in done.stdout, done.stderr[-2000:]
    found = json.loads(done.stdout.partition("FOUND")[2])
    assert found == {"onnx": ["passed", []], "keras_v3": ["passed", []]}


@needs_core
@pytest.mark.slow
def test_bioimageio_core_gives_the_test_output_of_a_package_for_deepimagej(packages):
    words = [CORE, "-c", TEST, str(packages("nuclei2d_small", "deepimagej"))]
    words.append("onnx,tensorflow_saved_model_bundle")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "FOUND" in done.stdout, done.stderr[-2000:]
    found = json.loads(done.stdout.partition("FOUND")[2])
    assert {status for status, _ in found.values()} == {"passed"}


@needs_core
@pytest.mark.slow
def test_without_nbtools_the_package_gives_the_same_foreground_map(packages, tmp_path):
    """A real image of the samples, whole, in a Python that cannot import nbtools."""
    model = methods.load("nuclei2d_small")
    grey = data.samples("nuclei2d").image(0).to("YX").pixels.astype(np.float32)[..., None]
    low = [size // 32 * 32 for size in grey.shape[:2]]
    grey = grey[: low[0], : low[1]]
    np.save(tmp_path / "image.npy", grey[None])
    files = ("image.npy", "m.npy", "mirrored.npy")
    places = [str(packages("nuclei2d_small")), *(str(tmp_path / name) for name in files)]
    subprocess.run([CORE, "-c", FRESH, *places], check=True, capture_output=True, cwd=tmp_path)
    found = np.load(tmp_path / "m.npy")[0]
    ours = model.inference()(model.run, package.preprocess(model, grey))
    assert np.abs(found[..., 0] - ours[..., 0]).max() < 1e-3
    assert np.mean((found[..., 0] > 0.5) != (ours[..., 0] > 0.5)) < 1e-4
    robust = model.infer(grey)
    assert np.mean((found[..., 0] > 0.5) != (robust[..., 0] > 0.5)) < 0.01
    # as README of the package tells, with the margin that bioimageio.core mirrors by itself
    mirrored = np.load(tmp_path / "mirrored.npy")[0]
    assert mirrored.shape == found.shape
    assert np.mean((mirrored[..., 0] > 0.5) != (ours[..., 0] > 0.5)) < 0.005


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_onnx_is_the_network_on_every_size_that_the_package_declares(packages, name, rng):
    """Least size and steps up, one axis at a time and both; between two steps it is refused."""
    onnxruntime = pytest.importorskip("onnxruntime")
    with zipfile.ZipFile(packages(name)) as archive:
        about = yaml.safe_load(archive.read("rdf.yaml"))
        session = onnxruntime.InferenceSession(archive.read("weights.onnx"))
    graph = package.build_graph(methods.load(name))
    axes = [axis for axis in about["inputs"][0]["axes"] if axis["type"] == "space"]
    least, steps = ([axis["size"][key] for axis in axes] for key in ("min", "step"))
    for more in ((0, 0, 0), (1, 0, 0), (0, 1, 1), (2, 3, 1), (5, 1, 0)):
        more = more[: len(least)]
        space = [low + n * step for low, n, step in zip(least, more, steps, strict=True)]
        image = rng.random((1, *space, graph.inputs[0].shape[-1]), np.float32)
        wanted = np.asarray(graph(image))
        found = session.run(None, {"image": image})[0]
        assert np.abs(found - wanted).max() <= 1e-4 * max(1, np.abs(wanted).max())
    if steps[0] > 1:
        odd = np.zeros((1, least[0] + 1, least[1], graph.inputs[0].shape[-1]), np.float32)
        with pytest.raises(Exception, match=r"onnx|Concat|shape|dimension"):
            session.run(None, {"image": odd})
