"""A folder of images predicted: one is read and one is written while another is predicted, and the
order stays.
"""

import argparse
import threading
from pathlib import Path

import numpy as np
import pytest

from nbtools import data, io, methods, tasks
from nbtools.cli import batch, result_folder
from nbtools.cli.batch import write_raw
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.results import Grid, Points

OPTIONS = {
    "workers": None,
    "scheduler": None,
    "zarr": False,
    "plan": False,
    "tile": None,
    "raw": False,
    "diameter": None,
    "min_size": None,
    "roi": False,
    "dtype": "float32",
    "images": Path("images"),
    "model": "otsu",
    "overwrite": False,
    "resume": False,
    "markers": None,
    "task": None,
}


@pytest.fixture
def predict(nuclei, tmp_path):
    """(how images are read) → (lines of the summary, what was left out, what was said)."""

    def call(read, model=None, debug=False):
        dataset, said = data.DataSet.open(nuclei), []
        dataset.image, first = lambda index: read(first, index), dataset.image
        args = argparse.Namespace(**OPTIONS, out=tmp_path / "r", debug=debug)
        one = batch.Batch(model or methods.load("otsu"), dataset, args=args, say=said.append)
        one.run()
        return one.rows, one.failed, said

    return call


def test_the_next_image_is_read_while_one_is_predicted(predict, nuclei):
    model, begun = methods.load("otsu"), threading.Event()
    usual = model.predict

    def read(first, index):
        if index == 1:
            begun.set()
        return first(index)

    def wait_for_the_next(image, **options):
        assert begun.wait(10)
        return usual(image, **options)

    model.predict = wait_for_the_next
    rows, failed, said = predict(read, model)
    names = data.DataSet.open(nuclei).names
    assert [row["name"] for row in rows] == names
    assert not failed
    assert [line.split(",")[0] for line in said if " of 3: " in line] == [
        f"{i} of 3: {name}" for i, name in enumerate(names, 1)
    ]


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_an_image_that_cannot_be_read_is_left_out_in_its_place(predict, nuclei, broken):
    def read(first, index):
        if index == broken:
            raise UserError("An image must be whole.", "half of one", "Copy it again.")
        return first(index)

    names = data.DataSet.open(nuclei).names
    rows, failed, said = predict(read)
    assert [row["name"] for row in rows] == [name for i, name in enumerate(names) if i != broken]
    assert [entry["name"] for entry in failed] == [names[broken]]
    assert [line[0] for line in said if " of 3: " in line] == ["1", "2", "3"]


def test_a_bug_is_named_one_and_ends_the_run_only_where_it_is_looked_for(predict):
    def read(first, index):
        if index == 1:
            raise RuntimeError("a bug")
        return first(index)

    rows, failed, _ = predict(read)
    assert (len(rows), len(failed)) == (2, 1)
    assert "a bug in nbtools, not yours" in failed[0]["message"]


def test_with_debug_a_bug_ends_the_run(predict):
    def read(first, index):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        predict(read, debug=True)


def test_points_are_written_as_a_table_with_marks_on_the_image(predict, tmp_path):
    model = methods.load("otsu")

    def find_points(image, **options):
        grid = Grid.of(image)
        places = np.array([[3.0, 4.0], [10.0, 20.0]])
        return methods.Prediction(Points(places, grid, np.array([0.5, 1.0])))

    model.predict = find_points
    rows, failed, _ = predict(lambda first, index: first(index), model)
    assert failed == []
    assert {(row["nuclei"], row["mean_score"]) for row in rows} == {(2, 0.75)}
    names = {row["name"] for row in rows}
    assert {p.stem for p in (tmp_path / "r").glob("*.csv")} == names
    assert {p.stem for p in (tmp_path / "r" / "overlays").iterdir()} == names
    table = io.read_csv(next((tmp_path / "r").glob("*.csv")))
    assert list(table[0]) == ["y", "x", "y_um", "x_um", "score"]
    result_folder.write_tables(tmp_path / "r", rows, task=tasks.DETECTION)
    summary = io.read_csv(tmp_path / "r" / "summary.csv")
    assert list(summary[0]) == ["name", "nuclei", "mean_score", "seconds"]


def test_maps_on_another_grid_keep_the_field_of_the_image(tmp_path):
    labels = Image(np.zeros((10, 12), np.uint16), "YX", spacing=(0.5, 0.3))
    write_raw(tmp_path / "raw" / "a.maps.tif", np.zeros((25, 24, 3), np.float32), like=labels)
    maps = io.read_image(tmp_path / "raw" / "a.maps.tif")
    np.testing.assert_allclose(maps.spacing, (0.2, 0.15), rtol=1e-5)
