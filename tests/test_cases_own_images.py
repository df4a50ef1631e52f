"""Lesson 00 with images of a learner's own: it runs to its end, with labels and without."""

import re
from pathlib import Path

import jupytext
import numpy as np
import pytest

from nbtools import io, simulate, widgets
from nbtools.data import DataSet
from nbtools.image import RGB, Image

LESSON = Path(__file__).resolve().parent.parent / "notebooks" / "src" / "00_start_here.py"
FLAG = re.compile(r"(?<![\w-])--[a-z]")
KINDS = (
    *("2D, 16 bit, in µm", "2D, 8 bit", "colours", "volume", "movie"),
    *("two channels", "volume of two channels", "movie of two channels"),
    *("fluorescence in colours", "stained section"),
)
TAKEN = {
    "two channels": "Of 2 channels, 1: DAPI is taken",
    "volume of two channels": "Of 2 channels, number 0 is taken",
    "movie of two channels": "Of 2 channels, number 0 is taken",
    "fluorescence in colours": "Of 3 channels, 2: blue is taken",
    "stained section": "A stained section: all colours are taken",
    "colours": "all of them equal",
}


@pytest.fixture(scope="module")
def samples():
    flat = simulate.make("nuclei2d", count=1, seed=1, settings={"shape_px": (96, 96)})[0]
    deep = simulate.make("nuclei3d", count=1, seed=1, settings={"shape_px": (12, 64, 64)})[0]
    return flat, deep


def make(kind: str, samples: tuple) -> tuple[Image, Image]:
    """An image of a kind, and its labels."""
    flat, deep = samples
    grey = flat.image.pixels
    eight = (grey / grey.max() * 255).astype(np.uint8)
    label = Image(flat.label.pixels, "YX")
    other = np.random.default_rng(0).integers(0, 60, eight.shape).astype(np.uint8)
    volume, section = deep.image.pixels, [255 - eight // 2, 255 - eight // 4 * 3, 255 - eight // 3]
    kinds = {
        "two channels": (
            flat.image.replace(
                pixels=np.stack([grey // 9, grey]), axes="CYX", channels=("actin", "DAPI")
            ),
            flat.label,
        ),
        "volume of two channels": (
            deep.image.replace(pixels=np.stack([volume, volume // 5], 1), axes="ZCYX"),
            deep.label,
        ),
        "movie of two channels": (
            Image(np.stack([[eight, other]] * 2), "TCYX"),
            Image(np.stack([label.pixels] * 2), "TYX"),
        ),
        "fluorescence in colours": (
            Image(np.stack([other, other // 2, eight], -1), "YXC", channels=RGB),
            label,
        ),
        "stained section": (Image(np.stack(section, -1), "YXC", channels=RGB), label),
        "2D, 16 bit, in µm": (flat.image, flat.label),
        "2D, 8 bit": (Image(eight, "YX"), label),
        "colours": (Image(np.stack([eight] * 3, axis=-1), "YXC", channels=RGB), label),
        "volume": (deep.image, deep.label),
        "movie": (
            Image(np.stack([eight, eight]), "TYX"),
            Image(np.stack([label.pixels] * 2), "TYX"),
        ),
        "empty labels": (Image(eight, "YX"), label.replace(pixels=0 * label.pixels)),
    }
    return kinds[kind]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "no labels"])
@pytest.mark.parametrize("kind", KINDS)
def test_lesson_00_runs_to_its_end(kind, labelled, samples, tmp_path, monkeypatch, capsys):
    image, label = make(kind, samples)
    io.write_image(tmp_path / "mine" / "images" / "a.tif", image)
    if labelled:
        io.write_label(tmp_path / "mine" / "labels" / "a.tif", label)
    run_lesson(tmp_path / "mine", monkeypatch, tmp_path)
    out = capsys.readouterr().out
    assert "The network found" in out
    assert ("The expert found" in out) == labelled
    assert TAKEN.get(kind, "The image has one channel.") in out
    assert not FLAG.search(out)
    assert (tmp_path / "runs" / "00_start_here" / "report.html").is_file()


@pytest.mark.filterwarnings("ignore")
def test_labels_without_a_nucleus_do_not_stop_it(samples, tmp_path, monkeypatch, capsys):
    image, label = make("empty labels", samples)
    io.write_image(tmp_path / "mine" / "images" / "a.tif", image)
    io.write_label(tmp_path / "mine" / "labels" / "a.tif", label)
    run_lesson(tmp_path / "mine", monkeypatch, tmp_path)
    assert "The expert found 0." in capsys.readouterr().out


def run_lesson(folder: Path, monkeypatch, place: Path) -> None:
    """Execute the cells of lesson 00, the picker set to a folder."""
    monkeypatch.chdir(place)
    picker = widgets.pick_data()
    picker.way.value = "folder"
    picker._dataset = DataSet.open(folder)
    monkeypatch.setattr(widgets, "pick_data", lambda samples: picker)
    variables = {}
    for cell in jupytext.read(LESSON, fmt="py:percent").cells:
        if cell.cell_type == "code" and "skip-execution" not in cell.metadata.get("tags", []):
            exec(compile(cell.source, LESSON.name, "exec"), variables)
