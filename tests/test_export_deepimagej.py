"""Twin of export.deepimagej: what the reader of DeepImageJ asks of a package, and what it gives."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from nbtools import export, methods, runtime
from nbtools.errors import UserError
from nbtools.methods.domain import Domain

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
yaml = pytest.importorskip("yaml")
deepimagej = runtime.load_quietly("nbtools.export.deepimagej")
saved_model = runtime.load_quietly("nbtools.export.saved_model")

MODELS = Path(__file__).resolve().parent / "golden" / "models"
CARD = export.ModelCard(
    name="Nuclei", description="Finds nuclei.", authors=("Ada Lovelace",), licence="CC-BY-4.0"
)


@pytest.fixture(scope="module", params=["unet_2D", "care_3D", "planned_2D"])
def package(request, tmp_path_factory):
    """The zip, its description and its files."""
    path = tmp_path_factory.mktemp("deepimagej") / request.param
    model = methods.load(MODELS / request.param)
    path = export.write_model(model, path, format="deepimagej", card=CARD)
    archive = zipfile.ZipFile(path)
    return path, yaml.safe_load(archive.read("rdf.yaml")), archive


def scale_as_its_reader(image: np.ndarray, steps: list[dict]) -> np.ndarray:
    """The steps by the words of the description, as JDLL takes them: over the whole image."""
    for step in steps:
        values = step["kwargs"]
        if step["id"] == "scale_range":
            shares = values["min_percentile"], values["max_percentile"]
            low, high = np.percentile(image, shares)
            image = (image - low) / (high - low + values["eps"])
        elif step["id"] == "clip":
            image = np.clip(image, values["min"], values["max"])
        else:
            assert step["id"] == "zero_mean_unit_variance"
            image = (image - image.mean()) / (image.std() + values["eps"])
    return image.astype(np.float32)


def test_both_weights_give_the_test_output_from_the_test_input(package, tmp_path):
    _, about, archive = package
    image, wanted = (np.load(BytesIO(archive.read(f"{n}.npy"))) for n in ("input", "output"))
    scaled = scale_as_its_reader(image, about["inputs"][0]["preprocessing"])
    session = onnxruntime.InferenceSession(archive.read("weights.onnx"))
    closeness = {"rtol": 1e-4, "atol": 1e-4 * np.abs(wanted).max()}
    found = session.run(None, {session.get_inputs()[0].name: scaled})[0]
    np.testing.assert_allclose(found, wanted, **closeness)
    zipfile.ZipFile(BytesIO(archive.read("tf_weights.zip"))).extractall(tmp_path)
    (found,) = saved_model.open_saved_model(tmp_path)(scaled)
    np.testing.assert_allclose(found, wanted, **closeness)


def test_the_description_is_what_its_reader_takes(package):
    _, about, archive = package
    # weights that it knows, and where it looks for the SavedModel
    assert set(about["weights"]) == {"onnx", "tensorflow_saved_model_bundle"}
    assert 8 <= about["weights"]["onnx"]["opset_version"] <= 18
    inside = zipfile.ZipFile(BytesIO(archive.read("tf_weights.zip"))).namelist()
    assert {"saved_model.pb", "variables/variables.index"} <= set(inside)
    assert about["format_version"].startswith("0.5")
    assert about["id"]
    assert isinstance(about["config"], dict)
    assert about["covers"] == ["cover.png"]
    assert about["documentation"] == "README.md"
    for step in about["inputs"][0]["preprocessing"]:
        assert "axes" not in step["kwargs"]
        assert step["id"] != "clip" or {"min", "max"} <= set(step["kwargs"])
    for tensor in (*about["inputs"], *about["outputs"]):
        assert all(axis["id"] for axis in tensor["axes"] if axis["type"] == "space")
        (channel,) = (axis for axis in tensor["axes"] if axis["type"] == "channel")
        assert channel["channel_names"]


def test_the_signature_has_the_names_of_the_tensors(package, tmp_path):
    _, about, archive = package
    zipfile.ZipFile(BytesIO(archive.read("tf_weights.zip"))).extractall(tmp_path)
    tensorflow = runtime.load_quietly("tensorflow")
    run = tensorflow.saved_model.load(str(tmp_path)).signatures["serving_default"]
    assert list(run.structured_input_signature[1]) == [about["inputs"][0]["id"]]
    assert list(run.structured_outputs) == [about["outputs"][0]["id"]]


def test_the_package_is_valid_by_the_specification_of_bioimage_io(package):
    spec = pytest.importorskip("bioimageio.spec")
    found = spec.load_description(package[0], perform_io_checks=True)
    errors = [error for detail in found.validation_summary.details for error in detail.errors]
    assert not errors
    assert found.type == "model"


def test_percentiles_by_rank_are_told_with_a_measured_difference(package):
    _, about, archive = package
    readme = archive.read("README.md").decode()
    ranked = any(s["id"] == "scale_range" for s in about["inputs"][0]["preprocessing"])
    assert ("does not interpolate" in readme) == ranked


def test_percentiles_are_the_values_at_their_rank():
    """JDLL sorts n values and takes that at place int(n · share)."""
    method = methods.load(MODELS / "unet_2D")
    found = deepimagej.run_example(method)
    values = np.sort(found.image.ravel())
    low, high = values[int(values.size * 0.01)], values[int(values.size * 0.998)]
    wanted = np.minimum((found.image - low) / (high - low + 1e-6), 4)
    assert np.allclose(deepimagej.scale_by_rank(found), wanted, atol=1e-6)


def test_several_channels_scaled_one_by_one_are_refused(tmp_path):
    method = methods.get("unet")(preset="tiny")
    method.domain = Domain(2, 3)
    method.adopt(method.build())
    with pytest.raises(UserError, match="format bioimageio"):
        export.write_model(method, tmp_path / "net", format="deepimagej")
    assert not list(tmp_path.iterdir())
