"""A folder of images predicted: one is read and one is written while another is predicted, and the
order stays.
"""

import argparse
import threading

import pytest

from nbtools import data, methods
from nbtools.cli import predict as verb
from nbtools.errors import UserError

ARGS = argparse.Namespace(
    tile=None, raw=False, diameter=None, min_size=None, roi=False, dtype="float32"
)


@pytest.fixture
def predict(nuclei, tmp_path):
    """(how images are read) → (lines of the summary, what was left out, what was said)."""

    def call(read, model=None):
        dataset, said = data.DataSet.open(nuclei), []
        dataset.image, first = lambda index: read(first, index), dataset.image
        rows, failed = verb.predict_all(
            model or methods.load("otsu"), dataset, folder=tmp_path, args=ARGS, say=said.append
        )
        return rows, failed, said

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


def test_what_is_no_fault_of_an_image_ends_the_run(predict):
    def read(first, index):
        if index == 1:
            raise RuntimeError("a bug")
        return first(index)

    with pytest.raises(RuntimeError, match="a bug"):
        predict(read)
