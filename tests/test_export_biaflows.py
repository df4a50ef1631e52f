"""Twin of export.biaflows and biaflows_run: a descriptor that others read, and what runs it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from other_python import ask, needs

from nbtools import data, export, io, methods
from nbtools.cli import main
from nbtools.errors import UserError
from nbtools.export import biaflows, biaflows_run
from nbtools.image import Image

READ = """
import importlib.util, json, sys
from importlib.metadata import distribution
path = distribution("biomero").locate_file("biomero/schema_parsers.py")
spec = importlib.util.spec_from_file_location("schema_parsers", path)
parsers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(parsers)
about = json.load(open(sys.argv[1]))
assert parsers.detect_schema_format(about) == "BIAFLOWS"
found = parsers.BiaflowsSchemaAdapter().adapt_to_biomero_schema(about)
flags = {one.id: [one.command_line_flag, one.type, one.default_value] for one in found.inputs}
answer([found.name, found.container_image.image, flags])
"""


@pytest.fixture
def images(tmp_path):
    """Two images of the samples, and the truth of one among them."""
    folder, dataset = tmp_path / "in", data.samples("simulated2d")
    for index, name in enumerate(("a", "b")):
        io.write_image(folder / f"{name}.tif", dataset.image(index))
    io.write_label(folder / "a_lbl.tif", dataset[0].label)
    return folder


def export_workflow(model, out, *more):
    return main(["export", model, "--format", "biaflows", "--out", str(out), *more])


def test_the_descriptor_has_what_a_server_asks_and_each_decoding_value(tmp_path, capsys):
    words = ["--author", "Ada Lovelace", "--licence", "CC-BY-4.0", "--description", "Nuclei."]
    assert export_workflow("nuclei2d_small", tmp_path / "flow", *words) == 0
    assert "OWNER" in capsys.readouterr().out
    about = json.loads((tmp_path / "flow" / "descriptor.json").read_text())
    assert about["schema-version"] == "cytomine-0.1"
    assert about["container-image"]["type"] == "singularity"
    assert about["container-image"]["image"] == about["container-image"]["image"].replace(" ", "")
    assert about["description"].startswith("Nuclei. By Ada Lovelace. Licence: CC-BY-4.0.")
    inputs = {one["id"]: one for one in about["inputs"]}
    asked = {"host", "public_key", "private_key", "id_project", "id_software"}
    assert {f"cytomine_{name}" for name in asked} <= set(inputs)
    model = methods.load("nuclei2d_small")
    own = {key: one for key, one in inputs.items() if not one["set-by-server"]}
    assert {key: one["default-value"] for key, one in own.items()} == model.decoding_values()
    assert {one["type"] for one in own.values()} == {"Number"}
    assert about["command-line"].split() == ["python", "wrapper.py", *map(str.upper, inputs)]
    assert methods.load(tmp_path / "flow" / "model").name == model.name


@needs("biomero", "biomero-schema")
@pytest.mark.parametrize("name", ["otsu", "nuclei2d_small"])
def test_biomero_reads_the_descriptor_with_its_types_and_flags(tmp_path, name):
    assert export_workflow(name, tmp_path / "flow") == 0
    title, image, flags = ask(READ, tmp_path / "flow" / "descriptor.json")
    assert image == f"OWNER/w_{title.lower()}"
    kinds = {float: "float", int: "integer"}
    values = methods.load(name).decoding_values()
    assert flags == {k: [f"--{k}", kinds[type(v)], v] for k, v in values.items()}


def test_the_wrapper_predicts_a_folder_as_it_is_called(images, tmp_path):
    assert export_workflow("otsu", tmp_path / "flow") == 0
    out = tmp_path / "out"
    words = ["--infolder", str(images), "--outfolder", str(out), "--gtfolder", str(out)]
    words += ["--local", "-nmc", "--split", "1.0", "--min_size", "200"]
    program = [sys.executable, str(tmp_path / "flow" / "wrapper.py"), *words]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.glob("*.tif")} == {"a.tif", "b.tif"}
    model = methods.load("otsu")
    model.settings = model.settings.replace(split=1.0, min_size=200)
    wanted = model.predict(data.samples("simulated2d").image(0)).labels.pixels
    found = io.read_label(out / "a.tif").pixels
    assert np.array_equal(found, wanted)
    plain = methods.load("otsu").predict(data.samples("simulated2d").image(0)).labels.pixels
    assert len(np.unique(plain)) > len(np.unique(found))  # the flag did something


def test_an_image_that_cannot_be_predicted_costs_itself_alone(images, tmp_path, caplog):
    (images / "c.tif").write_bytes(b"nothing")
    words = ["--infolder", str(images), "--outfolder", str(tmp_path / "out"), "--local"]
    assert biaflows_run.main(words, "otsu") == 1
    assert {p.name for p in (tmp_path / "out").glob("*.tif")} == {"a.tif", "b.tif"}
    assert "c: left out" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--infolder", "IN", "--outfolder", "OUT", "--min_size", "-3"], "min_size"),
        (["--cytomine_host", "somewhere", "--cytomine_id_project", "3"], "--infolder"),
        (["--infolder", "NONE", "--outfolder", "OUT"], "NONE"),
        (["--infolder", "IN", "--outfolder", "IN"], "Files of yours"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(images, tmp_path, caplog, words, said):
    places = {"IN": str(images), "OUT": str(tmp_path / "out"), "NONE": str(tmp_path / "NONE")}
    before = (images / "a.tif").read_bytes()
    assert biaflows_run.main([places.get(word, word) for word in words], "otsu") == 2
    assert said in caplog.text
    assert not (tmp_path / "out").exists()
    assert (images / "a.tif").read_bytes() == before


def test_a_second_run_replaces_the_labels_of_the_first(images, tmp_path):
    words = ["--infolder", str(images), "--outfolder", str(tmp_path / "out")]
    assert biaflows_run.main(words, "otsu") == 0
    assert biaflows_run.main(words, "otsu") == 0


def test_a_method_that_segments_nothing_is_refused(tmp_path):
    with pytest.raises(UserError, match="segment nuclei"):
        export.write_model(methods.load("nlm"), tmp_path / "flow", format="biaflows")
    assert not (tmp_path / "flow").exists()


def test_the_name_of_a_workflow_has_no_blanks():
    card = export.ModelCard(name="Nuclei of roots (2D)")
    about = biaflows.describe_workflow(methods.load("otsu"), card=card)
    assert about["name"] == "Nuclei-of-roots-2D"
    assert about["container-image"]["image"] == "OWNER/w_nuclei-of-roots-2d"


def test_labels_of_volumes_are_volumes(tmp_path):
    image = data.samples("simulated3d").image(0)
    io.write_image(tmp_path / "in" / "v.tif", Image(image.pixels, "ZYX", spacing=image.spacing))
    words = ["--infolder", str(tmp_path / "in"), "--outfolder", str(tmp_path / "out")]
    assert biaflows_run.main(words, "otsu") == 0
    assert io.read_label(tmp_path / "out" / "v.tif").pixels.shape == image.pixels.shape
