"""Refusals before a network is loaded: by the header of an image and by model.json."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from nbtools import data, methods
from nbtools.image import Image
from nbtools.methods.outline import read_outline

FOLDERS = sorted(p.parent for p in data.packaged_path("weights").glob("*/model.json"))
SHIPPED = [  # networks: forests have none
    folder.name
    for folder in FOLDERS
    if methods.row(json.loads((folder / "model.json").read_text("utf-8"))["method"]).trained
]
# the command line, and what it has loaded in the end
RUN = """
import sys
from nbtools.cli import main
code = main(sys.argv[1:])
print(code, *(name for name in ("tensorflow", "keras") if name in sys.modules))
"""


def run(*words, memory, folder):
    """What is left of a command under a cap of memory: its last line, and what it told."""
    command = [sys.executable, "-c", RUN, *map(str, words)]
    about = {"capture_output": True, "text": True, "cwd": folder, "timeout": 120}
    found = subprocess.run(command, env=environment(memory), **about)
    return found.stdout.splitlines()[-1], found.stderr


def environment(memory):
    return os.environ | {"NBTOOLS_MEMORY": memory}


def write_hollow(path, shape, axes):
    """A TIFF of zeros that takes no room on the disk."""
    about = {"dtype": np.uint16, "photometric": "minisblack", "metadata": {"axes": axes}}
    tifffile.memmap(path, shape=shape, **about).flush()


@pytest.mark.parametrize(
    ("model", "shape", "axes", "memory", "said"),
    [
        ("nuclei3d", (400, 1500, 1500), "ZYX", "4G", "One block of an image must fit"),
        ("nuclei3d", (20, 40, 600, 600), "TZYX", "1200M", "with --time all"),
        ("denoise2d", (4000, 4000), "YX", "800M", "One block of an image must fit"),
        ("demo_kinet", (9000, 9000), "YX", "2G", "A prediction must fit into the memory"),
        ("otsu", (40, 2000, 2000), "TYX", "1G", "with --time all"),
    ],
)
def test_what_cannot_fit_is_refused_before_a_network_is_loaded(
    tmp_path, model, shape, axes, memory, said
):
    write_hollow(tmp_path / "a.tif", shape, axes)
    about = {"memory": memory, "folder": tmp_path}
    last, told = run("predict", model, "a.tif", "--out", "out", **about)
    assert last == "2"
    assert said in told
    assert not (tmp_path / "out").exists()


def test_an_option_that_needs_the_whole_image_is_refused_before_a_network_is_loaded(tmp_path):
    write_hollow(tmp_path / "a.tif", (20000, 20000), "YX")
    about = {"memory": "3G", "folder": tmp_path}
    last, told = run("predict", "nuclei2d", "a.tif", "--out", "out", "--raw", **about)
    assert last == "2"
    assert "--raw needs an image that fits" in told


def test_a_batch_with_an_image_that_fits_is_not_refused_as_a_whole(tmp_path):
    write_hollow(tmp_path / "a.tif", (9000, 9000), "YX")
    write_hollow(tmp_path / "b.tif", (64, 64), "YX")
    about = {"memory": "1500M", "folder": tmp_path}
    last, told = run("predict", "demo_kinet", tmp_path, "--out", "out", **about)
    assert last.startswith("1")
    assert "a is left out. A prediction must fit into the memory" in told
    assert list((tmp_path / "out").glob("b*"))


def hollow(*shape):
    return Image(np.broadcast_to(np.zeros((), np.uint16), shape), "YX")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_say_what_they_take(name):
    known = read_outline(methods.find_folder(name))
    assert known.inference.field.features > 1
    assert len(known.inference.field.grid) == known.domain.ndim


@pytest.mark.parametrize("name", ["nuclei2d", "nuclei3d", "denoise2d"])
def test_what_a_model_says_of_its_memory_is_true(tmp_path, name):
    model = methods.load(name)
    model.save(tmp_path)
    known, kept = (read_outline(folder) for folder in (methods.find_folder(name), tmp_path))
    assert known == kept
    image = Image(np.zeros((40,) * model.domain.ndim, np.uint16), model.domain.axes)
    assert known.block_needs(image) == model.block_needs(image)
    assert known.works_in_blocks(image) == model.works_in_blocks(image)
    assert known.rescales == model.rescales


def test_a_model_of_an_older_version_says_nothing_and_predicts(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(methods.find_folder("demo_kinet"), folder)
    about = json.loads((folder / "model.json").read_text("utf-8"))
    del about["memory"]
    (folder / "model.json").write_text(json.dumps(about), "utf-8")
    assert read_outline(folder) is None
    assert methods.load(folder).predict(hollow(64, 64)) is not None


def test_an_image_to_learn_from_is_refused_before_a_network_is_loaded(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        write_hollow(tmp_path / kind / "a.tif", (20, 3000, 3000), "TYX")
    about = {"memory": "250M", "folder": tmp_path}
    last, told = run("train", "fast_nuclei", tmp_path, "--out", "model", **about)
    assert last == "2"
    assert "An image must fit into the memory" in told
