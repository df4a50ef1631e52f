"""Twin of export.bioimageio: the package is valid, and what it declares gives its test output."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from nbtools import export, methods, runtime
from nbtools.cli import main
from nbtools.errors import UserError

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
yaml = pytest.importorskip("yaml")
package = runtime.load_quietly("nbtools.export.bioimageio")

MODELS = Path(__file__).resolve().parent / "golden" / "models"
CARD = export.ModelCard(
    name="Nuclei", description="Finds nuclei.", authors=("Ada Lovelace",), licence="CC-BY-4.0"
)
# percentiles, a scale of the whole set, moments and no bound, a PSF of our own
NAMES = ["unet_2D", "care_3D", "planned_2D", "deconoising_2D"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    found = {}
    for name in NAMES:
        model = methods.load(MODELS / name)
        found[name] = export.write_model(model, folder / name, format="bioimageio", card=CARD)
    return found


def read(path: Path) -> tuple[dict, zipfile.ZipFile]:
    archive = zipfile.ZipFile(path)
    return yaml.safe_load(archive.read("rdf.yaml")), archive


def scale_as_declared(image: np.ndarray, about: dict) -> np.ndarray:
    """The preprocessing of the description, by its own words, in NumPy."""
    axes = [axis.get("id", axis["type"]) for axis in about["axes"]]
    for step in about["preprocessing"]:
        values = step["kwargs"]
        joint = tuple(axes.index(one) for one in values.get("axes", ()))
        if step["id"] == "scale_range":
            shares = values["min_percentile"], values["max_percentile"]
            low, high = np.percentile(image, shares, axis=joint, keepdims=True)
            image = (image - low) / (high - low + values["eps"])
        elif step["id"] == "clip":
            image = np.minimum(image, values["max"])
        else:
            assert step["id"] == "zero_mean_unit_variance"
            mean, deviation = (f(image, axis=joint, keepdims=True) for f in (np.mean, np.std))
            image = (image - mean) / (deviation + values["eps"])
    return image.astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_both_weights_give_the_test_output_from_the_test_input(packages, name, tmp_path):
    about, archive = read(packages[name])
    image, wanted = (np.load(BytesIO(archive.read(f"{n}.npy"))) for n in ("input", "output"))
    scaled = scale_as_declared(image, about["inputs"][0])
    session = onnxruntime.InferenceSession(archive.read("weights.onnx"))
    found = session.run(None, {session.get_inputs()[0].name: scaled})[0]
    closeness = {"rtol": 1e-4, "atol": 1e-4 * np.abs(wanted).max()}
    np.testing.assert_allclose(found, wanted, **closeness)
    if name == "deconoising_2D":  # its PSF is no layer of Keras
        assert "keras_v3" not in about["weights"]
        return
    archive.extract("weights.keras", tmp_path)
    network = package.keras.saving.load_model(tmp_path / "weights.keras", safe_mode=True)
    np.testing.assert_allclose(np.asarray(network(scaled)), wanted, **closeness)


@pytest.mark.parametrize("name", NAMES)
def test_the_package_is_valid_by_the_specification_of_bioimage_io(packages, name):
    spec = pytest.importorskip("bioimageio.spec")
    found = spec.load_description(packages[name], perform_io_checks=True)
    summary = found.validation_summary
    errors = [error for detail in summary.details for error in detail.errors]
    assert not errors
    assert summary.status in ("valid-format", "passed")
    assert found.type == "model"


def test_a_package_without_a_name_has_one_that_the_specification_allows(tmp_path):
    spec = pytest.importorskip("bioimageio.spec")
    model = methods.load(MODELS / "flows_2D")
    assert ":" in methods.row(model.name).title
    path = export.write_model(model, tmp_path / "net", format="bioimageio")
    found = spec.load_description(path, perform_io_checks=True)
    assert not [error for d in found.validation_summary.details for error in d.errors]


def test_a_flat_network_of_volumes_goes_as_one_of_planes(tmp_path):
    path = export.write_model(methods.load("nuclei3d"), tmp_path / "net", format="bioimageio")
    about, archive = read(path)
    for tensor in (*about["inputs"], *about["outputs"]):
        assert [axis["id"] for axis in tensor["axes"] if axis["type"] == "space"] == ["y", "x"]
    assert about["outputs"][0]["axes"][-1]["channel_names"] == ["foreground", "flow_0", "flow_1"]
    assert "The network sees planes" in archive.read("README.md").decode()


def test_axes_have_steps_and_halo_of_the_network(packages):
    about, _ = read(packages["unet_2D"])
    field = methods.load(MODELS / "unet_2D").field
    for number, axis in enumerate("yx"):
        inside = about["inputs"][0]["axes"][number + 1]
        outside = about["outputs"][0]["axes"][number + 1]
        assert inside["id"] == outside["id"] == axis
        assert inside["size"]["step"] == field.grid[number]
        assert outside["halo"] >= field.radius[number]
        assert inside["size"]["min"] > 2 * outside["halo"]


def test_a_volume_of_known_pixel_size_has_it_on_its_axes(packages):
    about, _ = read(packages["care_3D"])
    spacing = methods.load(MODELS / "care_3D").domain.spacing
    axes = about["inputs"][0]["axes"][1:4]
    assert [axis["id"] for axis in axes] == ["z", "y", "x"]
    if spacing:
        assert [axis["scale"] for axis in axes] == pytest.approx(spacing)
        assert {axis["unit"] for axis in axes} == {"micrometer"}


def test_what_the_format_cannot_say_is_told_with_a_measured_difference(tmp_path, capsys):
    out = tmp_path / "net.zip"
    arguments = ["export", "nuclei2d", "--format", "bioimageio", "--out", str(out), "--json"]
    assert main([*arguments, "--author", "Ada Lovelace"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["missing"] == ["licence", "description"]
    assert "Largest difference of the maps" in document["remarks"][0]
    readme = read(out)[1].read("README.md").decode()
    assert document["remarks"][0] in readme
    assert "# Validation" in readme


def test_a_network_of_boxes_is_refused_with_what_can_hold_it(tmp_path):
    method = methods.get("yolo")(preset="tiny")
    method.adopt(method.build())
    with pytest.raises(UserError, match="onnx or keras"):
        export.write_model(method, tmp_path / "net", format="bioimageio")
    assert not list(tmp_path.iterdir())


def test_a_licence_without_a_package_is_refused(tmp_path, capsys):
    arguments = ["export", str(MODELS / "unet_2D"), "--format", "keras", "--licence", "MIT"]
    assert main([*arguments, "--out", str(tmp_path / "net")]) == 2
    assert "--format bioimageio" in capsys.readouterr().err
