"""Sorting crops into classes without a browser: keys, undo, the table, and who is asked next."""

import numpy as np
import pytest

from nbtools import data, io, methods, widgets
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods.active_choice import rank_least_certain

NAMES = ("dim", "bright")


def make_crops(count: int = 12) -> DataSet:
    """Grey squares, from dark to bright."""
    noise = np.random.default_rng(0).normal(0, 3, (12, 12)).astype(np.float32)
    found = []
    for i in range(count):
        pixels = noise + 100 + 20 * i
        found.append(Sample(f"n{i:02d}", Image(pixels, "YX", name=f"n{i:02d}"), group=f"g{i % 3}"))
    return DataSet.of(found, name="crops")


@pytest.fixture
def seen(tmp_path):
    return widgets.sort_images(make_crops(), classes=NAMES, folder=tmp_path / "s", learner=None)


def table(folder) -> dict[str, str]:
    path = folder / "classes.csv"
    return {row["name"]: row["class"] for row in io.read_csv(path)} if path.is_file() else {}


def test_keys_sort_and_each_answer_is_stored_at_once(seen, tmp_path):
    assert len(seen.value) == 0
    seen.field.value = "1"
    assert table(tmp_path / "s") == {"n00": "dim"}
    seen.field.value = "122"  # two letters typed before the kernel answered
    assert table(tmp_path / "s") == {"n00": "dim", "n01": "bright", "n02": "bright"}
    assert seen.answers.current == "n03"
    assert [sample.class_name for sample in seen.value] == ["dim", "bright", "bright"]
    assert "1 dim, 2 bright · 9 left" in seen.status.value
    assert bytes(seen.grid.value).startswith(b"\x89PNG")


def test_backspace_undoes_answers_skips_and_keys_without_meaning(seen, tmp_path):
    seen.field.value = "12 x9"
    assert seen.answers.skipped == {"n02"}
    assert seen.answers.current == "n03"
    seen.field.value = "12 x"
    seen.field.value = "12 "
    assert seen.answers.current == "n03"
    seen.field.value = "12"
    assert (seen.answers.current, seen.answers.skipped) == ("n02", set())
    seen.field.value = ""
    assert table(tmp_path / "s") == {}
    assert seen.answers.current == "n00"
    seen.answers.undo()  # nothing is left to undo
    assert seen.answers.current == "n00"


def test_an_answer_is_changed_by_going_back(seen, tmp_path):
    seen.field.value = "11,2"
    assert table(tmp_path / "s") == {"n00": "dim", "n01": "bright"}
    seen.field.value = "11,"
    assert table(tmp_path / "s") == {"n00": "dim", "n01": "dim"}


def test_a_session_goes_on_where_it_stopped_and_keeps_other_columns(tmp_path):
    folder = tmp_path / "s"
    about = {"classes": NAMES, "folder": folder, "learner": None}
    widgets.sort_images(make_crops(), **about).field.value = "12"
    rows = [
        {"name": "n00", "class": "dim", "by": "Ada"},
        {"name": "n05", "class": "", "by": "Ada"},
        {"name": "elsewhere", "class": "dim", "by": ""},
    ]
    io.write_csv(folder / "classes.csv", rows)
    again = widgets.sort_images(make_crops(), **about)
    assert again.answers.current == "n01"
    again.field.value = "2"
    told = {row["name"]: row for row in io.read_csv(folder / "classes.csv")}
    assert told["n00"]["by"] == "Ada"
    assert told["n05"] == {"name": "n05", "class": "", "by": "Ada"}
    assert told["elsewhere"]["class"] == "dim"
    assert told["n01"]["class"] == "bright"


def test_the_folder_is_a_data_set_to_train_on(seen, tmp_path):
    seen.field.value = "111222"
    stored = DataSet.open(tmp_path / "s")
    assert stored.class_names == ["bright", "dim"]
    np.testing.assert_array_equal(stored.image(0).pixels, make_crops().image(0).pixels)
    assert stored.entries[4].columns["group"] == "g1"


def test_a_page_is_followed_by_the_next_and_undo_goes_back_to_it(tmp_path):
    about = {"folder": tmp_path / "s", "learner": None, "per_page": 2}
    seen = widgets.sort_images(make_crops(3), classes=NAMES, **about)
    seen.field.value = "11"
    assert seen.answers.page == ("n02",)
    seen.field.value = "1"
    assert (seen.answers.page, seen.answers.current) == (("n00", "n01"), "n01")
    seen.field.value = "112"
    assert seen.answers.current is None
    assert "All are sorted." in seen.status.value
    seen.field.value = "1122"  # a key when all is done
    seen.field.value = "11"
    assert seen.answers.current == "n02"


def test_the_next_page_begins_with_what_the_forest_is_least_sure_of(tmp_path):
    crops = make_crops(12)
    order = [0, 1, 2, 9, 10, 11, 3, 4, 5, 6, 7, 8]
    about = {"folder": tmp_path / "s", "per_page": 6}
    seen = widgets.sort_images(crops.subset(order), classes=NAMES, **about)
    seen.field.value = "111222"
    assert "feature_forest is least sure" in seen.status.value
    assert set(seen.answers.page) == {f"n{i:02d}" for i in range(3, 9)}
    assert seen.answers.page[0] in {"n04", "n05", "n06", "n07"}  # in the middle


def test_a_trained_model_orders_the_first_page(tmp_path):
    crops = make_crops(12)
    known = crops.with_classes({f"n{i:02d}": NAMES[i > 5] for i in (0, 1, 2, 9, 10, 11)})
    forest = methods.get("feature_forest")(trees=30)
    forest.fit(known)
    rest = crops.subset(range(3, 9))
    seen = widgets.sort_images(rest, classes=NAMES, folder=tmp_path / "s", learner=forest)
    ranked = [rest.names[i] for i in rank_least_certain(forest, rest)]
    assert list(seen.answers.page) == ranked


def test_volumes_and_outlines_are_shown_flat_and_without_the_outline(tmp_path):
    pixels = np.zeros((3, 8, 10, 2), np.float32)
    pixels[1, 2, 2, 0], pixels[..., 1] = 9, 1
    image = Image(pixels, "ZYXC", channels=("0", "mask"), name="v")
    seen = widgets.sort_images(
        DataSet.of([Sample("v", image)]), classes=NAMES, folder=tmp_path / "s"
    )
    assert seen.thumbnails["v"].shape == (8, 10, 3)
    assert seen.thumbnails["v"].max(axis=-1).argmax() == 2 * 10 + 2


def test_wrong_input_is_said(tmp_path):
    with pytest.raises(UserError, match="1 to 9 classes"):
        widgets.sort_images(make_crops(), folder=tmp_path / "a", learner=None)
    with pytest.raises(UserError, match="must be images"):
        widgets.sort_images(DataSet.of([]), classes=NAMES, folder=tmp_path / "b")
    data.write_dataset(make_crops(2), tmp_path / "c")
    with pytest.raises(UserError, match="others"):
        widgets.sort_images(make_crops(5), classes=NAMES, folder=tmp_path / "c")
    seen = widgets.sort_images(make_crops(2), classes=NAMES, folder=tmp_path / "c")
    with pytest.raises(UserError, match="one of the classes"):
        seen.sort("n00", "green")
