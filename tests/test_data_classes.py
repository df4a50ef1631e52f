"""Classes of single nuclei: read, written, split with their images, refused where they cannot be
meant.
"""

import numpy as np
import pytest

from nbtools import data
from nbtools.errors import UserError
from nbtools.image import Image


@pytest.fixture
def dataset(rng) -> data.DataSet:
    label = np.zeros((20, 20), np.uint16)
    label[2:6, 2:6], label[10:14, 10:14], label[2:6, 12:16] = 1, 2, 7
    image = Image(rng.integers(0, 255, label.shape, dtype=np.uint8), "YX")
    known = [{1: "round", 2: "long"}, {1: "round", 7: "dividing"}, None]
    return data.DataSet.of(
        [
            data.Sample(f"s{i}", image, label=Image(label, "YX"), classes=c)
            for i, c in enumerate(known)
        ]
    )


def test_classes_of_nuclei_come_back_from_a_folder(dataset, tmp_path):
    data.write_dataset(dataset, tmp_path / "set")
    assert (tmp_path / "set" / "classes" / "s0.csv").read_text() == "label,class\n1,round\n2,long\n"
    again = data.DataSet.open(tmp_path / "set")
    assert [s.classes for s in again] == [s.classes for s in dataset]
    assert again.nucleus_classes == dataset.nucleus_classes == ("dividing", "long", "round")
    assert not again.has("classes")  # those are of whole images
    assert again.notes == []
    assert tmp_path / "set" / "classes" / "s0.csv" in again.files()


def test_classes_go_with_their_image_into_a_split_and_a_copy(dataset, tmp_path):
    data.write_dataset(dataset, tmp_path / "set")
    whole = data.DataSet.open(tmp_path / "set")
    data.copy_split({"train": whole.subset([0, 2]), "test": whole.subset([1])}, tmp_path / "parts")
    parts = data.DataSet.open(tmp_path / "parts").splits()
    assert parts["train"].nucleus_classes == ("long", "round")
    assert parts["test"][0].classes == {1: "round", 7: "dividing"}
    assert data.cut_tiles(whole, 10)[0].classes == {1: "round", 2: "long"}


def test_zero_and_unknown_say_nothing(tmp_path):
    (tmp_path / "a.csv").write_text(
        "label;class;by\n1;round;me\n2;0;me\n3;Unknown;me\n4;;me\n", "utf-8"
    )
    assert data.read_classes(tmp_path / "a.csv") == {1: "round"}


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("nucleus,kind\n1,round\n", "Name its columns label and class"),
        ("label,class\none,round\n", "Use the whole numbers of the label image"),
        ("label,class\n1,round\n1,long\n", "Keep one line for each label"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, text, remedy):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=remedy):
        data.read_classes(tmp_path / "a.csv")
