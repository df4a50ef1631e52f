"""Twin of widgets: set a value, read the answer. Runs under ipywidgets 7 and 8 alike."""

import io as bytestream
import zipfile
from dataclasses import dataclass

import ipywidgets
import numpy as np
import pytest

from nbtools import io, runtime, widgets
from nbtools.config import Settings, setting
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import Prediction
from nbtools.results import Restored
from nbtools.widgets import common, picker
from nbtools.widgets.folders import FolderBrowser


@dataclass(frozen=True)
class Choices(Settings):
    """One setting of each type."""

    epochs: int = setting(5, min=1, max=100, help="How often.")
    patch: int = setting(64, unit="px", min=16, step=16, help="Side of a patch.")
    rate: float = setting(0.003, min=0.0, max=1.0, level="advanced", help="How fast.")
    widths: tuple[int, ...] = setting(
        (16, 32), min=1, level="advanced", help="Channels <of> a level."
    )
    diameter: float | None = setting(None, unit="um", min=0.1, help="Size of the nuclei.")
    variant: str = setting("small", choices=("small", "paper"), help="Which network.")
    tuned: bool = setting(True, help="Whether to choose thresholds.")
    note: str = setting("", level="advanced", help="Any words.")


class Method:
    Settings = Choices

    @classmethod
    def suggest(cls, dataset) -> dict:
        return {"patch": 16 * len(dataset)}


def test_the_default_of_a_form_is_a_valid_answer():
    assert widgets.form(Choices).value == widgets.form(Method).value == Choices()


def test_what_is_entered_in_a_form_is_read_back_as_settings():
    form = widgets.form(Choices)
    for name, entry in {
        "epochs": 7,
        "rate": 0.01,
        "widths": "8, 16,32",
        "diameter": "12.5",
        "variant": "paper",
        "tuned": False,
    }.items():
        form.fields[name].value = entry
    assert form.value == Choices(
        epochs=7, rate=0.01, widths=(8, 16, 32), diameter=12.5, variant="paper", tuned=False
    )
    form.fields["diameter"].value = "auto"
    assert form.value.diameter is None


@pytest.mark.parametrize(
    ("name", "entry", "words"),
    [("epochs", 0, "at least 1"), ("patch", 50, "multiple of 16"), ("widths", "8, x", "int")],
)
def test_a_wrong_entry_is_said_in_the_form_and_not_read(name, entry, words):
    form = widgets.form(Choices)
    form.fields[name].value = entry
    assert words in form.rows[name].message.value
    with pytest.raises(UserError, match=words):
        _ = form.value
    form.reset()
    assert form.rows[name].message.value == ""
    assert form.value == Choices()


def test_a_form_begins_with_what_the_method_suggests_for_the_images():
    form = widgets.form(Method, suggest_from=[1, 2, 3])
    assert form.value.patch == 48
    form.fields["patch"].value = 64
    form.reset()
    assert form.value.patch == 48
    assert widgets.form(Choices, suggest_from=[1, 2]).value == Choices()


def test_advanced_settings_are_folded_away_and_help_is_text_not_markup():
    form = widgets.form(Choices)
    [folded] = [child for child in form.children if isinstance(child, ipywidgets.Accordion)]
    assert [row.declared.name for row in folded.children[0].children] == ["rate", "widths", "note"]
    assert folded.selected_index is None
    assert "&lt;of&gt;" in form.rows["widths"].children[0].children[1].value


def test_every_setting_can_be_found_on_the_page_by_a_class():
    form = widgets.form(Choices)
    assert all(f"nb-setting-{name}" in field._dom_classes for name, field in form.fields.items())


@pytest.fixture
def folder(tmp_path, rng):
    """A data set of two images with labels, in a folder whose name has a space and an accent."""
    place = tmp_path / "my nucléi"
    for name in ("a", "b"):
        io.write_image(
            place / "images" / f"{name}.tif",
            Image(rng.integers(0, 99, (20, 30)).astype(np.uint8), "YX", spacing=(0.5, 0.5)),
        )
        io.write_label(place / "labels" / f"{name}.tif", Image(np.ones((20, 30), np.uint16), "YX"))
    return place


def test_the_default_of_the_picker_is_a_valid_answer():
    chosen = widgets.pick_data()
    assert chosen.value.has("labels")
    assert chosen.value is chosen.value
    assert "1 image with labels" in chosen.status.value


def test_another_sample_set_can_be_chosen():
    chosen = widgets.pick_data()
    chosen.samples.value = "nuclei3d"
    assert chosen.value[0].image.axes == "ZYX"
    with pytest.raises(UserError, match="nuclei2d"):
        widgets.pick_data("nothing")


def test_a_folder_that_the_environment_names_is_chosen_first(tmp_path, monkeypatch):
    io.write_image(tmp_path / "mine.tif", Image(np.eye(20, dtype=np.uint8), "YX"))
    monkeypatch.setenv(picker.OWN, str(tmp_path))
    chosen = widgets.pick_data(samples="simulated2d")
    assert chosen.way.value == "folder"
    assert chosen.value.names == ["mine"]
    monkeypatch.delenv(picker.OWN)
    assert widgets.pick_data(samples="simulated2d").value.names[0] != "mine"


def test_a_folder_is_found_by_clicking(folder):
    chosen = widgets.pick_data()
    chosen.way.value = "folder"
    chosen.browser.go(folder.parent.parent)
    for step in (folder.parent, folder):
        assert str(step) in [value for _, value in chosen.browser.list.options]
        chosen.browser.list.value = str(step)
    assert chosen.browser.folder == folder
    assert chosen.value.names == ["a", "b"]
    assert (
        "2 images with labels; the first: YX 20 x 30 px, pixel size 0.5 x 0.5 µm"
        in chosen.status.value
    )


def test_only_the_panel_of_the_chosen_way_is_seen():
    chosen = widgets.pick_data()
    chosen.way.value = "upload"
    assert [name for name, panel in chosen.panels.items() if panel.layout.display != "none"] == [
        "upload"
    ]


def test_a_pasted_path_is_taken_and_a_wrong_one_is_said(folder):
    browser = FolderBrowser(folder.parent)
    heard = []
    browser.on_change(lambda: heard.append(browser.folder))
    browser.path.value = f'"{folder}"'
    assert heard == [folder]
    browser.path.value = "/no/such/folder"
    assert "must exist" in browser.place.value
    assert browser.folder == folder


def test_one_level_up_leads_back(folder):
    browser = FolderBrowser(folder)
    browser.list.value = str(folder.parent)
    assert browser.folder == folder.parent


def test_a_folder_without_images_is_said_and_not_read(tmp_path):
    chosen = widgets.pick_data()
    chosen.way.value = "folder"
    (tmp_path / "empty").mkdir()
    chosen.browser.go(tmp_path / "empty")
    assert "must be images" in chosen.status.value
    with pytest.raises(UserError, match="images"):
        _ = chosen.value


def test_uploads_are_read_as_ipywidgets_7_and_8_hold_them():
    seven = {"a.tif": {"metadata": {}, "content": b"x"}, "C:\\b.tif": {"content": b"y"}}
    eight = (
        {"name": "a.tif", "content": memoryview(b"x")},
        {"name": "../b.tif", "content": memoryview(b"y")},
    )
    assert (
        common.read_uploads(seven) == common.read_uploads(eight) == {"a.tif": b"x", "b.tif": b"y"}
    )
    assert common.read_uploads(ipywidgets.FileUpload().value) == {}


def test_uploaded_images_and_labels_become_a_data_set(folder):
    files = {
        kind: {p.name: p.read_bytes() for p in (folder / kind).iterdir()}
        for kind in ("images", "labels")
    }
    dataset = DataSet.open(picker.save_uploads(files["images"], files["labels"]))
    assert dataset.names == ["a", "b"]
    assert dataset[0].label is not None


def test_an_uploaded_zip_is_unpacked_inside_its_folder(folder):
    packed = bytestream.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.rglob("*.tif"):
            archive.write(path, path.relative_to(folder.parent))
    dataset = DataSet.open(picker.save_uploads({"set.zip": packed.getvalue()}, {}))
    assert dataset.has("labels")
    assert len(dataset) == 2
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("../../outside.txt", "no")
    with pytest.raises(UserError, match="must stay inside"):
        picker.save_uploads({"set.zip": packed.getvalue()}, {})
    assert not (folder.parent.parent / "outside.txt").exists()
    with pytest.raises(UserError, match="must be whole"):
        picker.save_uploads({"set.zip": b"no zip"}, {})


def test_before_anything_is_uploaded_the_picker_says_what_to_do():
    chosen = widgets.pick_data()
    chosen.way.value = "upload"
    assert "none uploaded yet" in chosen.status.value
    with pytest.raises(UserError, match="uploaded"):
        _ = chosen.value


def test_google_drive_is_offered_on_colab_only_and_connected_by_a_button(monkeypatch, folder):
    assert "drive" not in [way for _, way in widgets.pick_data().way.options]
    monkeypatch.setattr(runtime, "is_colab", lambda: True)
    monkeypatch.setattr(runtime, "mount_drive", lambda: folder)
    chosen = widgets.pick_data()
    chosen.way.value = "drive"
    assert "must be connected" in chosen.status.value
    chosen.connect.click()
    assert chosen.value.names == ["a", "b"]


def test_a_refused_drive_is_said_in_the_picker():
    chosen = widgets.pick_data()
    chosen.connect.click()
    assert "Colab only" in chosen.status.value


def test_a_slider_leads_through_the_planes_of_a_volume(rng):
    volume = Image(rng.random((7, 20, 24)), "ZYX")
    seen = widgets.browse(volume, Image((volume.pixels > 0.9).astype(int), "ZYX"))
    first = bytes(seen.picture.value)
    assert first.startswith(b"\x89PNG")
    seen.sliders["Z"].value = 0
    second = bytes(seen.picture.value)
    seen.outlines.value = False
    assert len({first, second, bytes(seen.picture.value)}) == 3


def test_a_plane_and_a_movie_can_be_browsed_too(rng):
    assert widgets.browse(Image(rng.random((20, 24)), "YX")).sliders == {}
    movie = widgets.browse(Image(rng.random((3, 5, 20, 24, 2)), "TZYXC"))
    assert [s.max for s in movie.sliders.values()] == [2, 4]


def test_a_threshold_can_be_moved_and_its_effect_seen(rng):
    image = Image(np.kron(np.array([[0.2, 0.0, 0.8]]), np.ones((9, 9))), "YX")
    seen = widgets.explore_threshold(
        image, lambda t: image.replace(pixels=(image.pixels > t).astype(np.uint8)), limits=(0, 1)
    )
    assert "1 nucleus" in seen.count.value
    seen.slider.value = 0.9
    assert seen.value == 0.9
    assert "0 nuclei" in seen.count.value


def test_a_line_parts_before_and_after(rng):
    before, after = (
        Image(rng.random((200, 300)).astype(np.float32), "YX"),
        Image(np.zeros((200, 300), np.float32), "YX"),
    )
    seen = widgets.compare_slider(before, after)
    assert bytes(seen.picture.value).startswith(b"\x89PNG")
    pictures = []
    for place in (0, 50, 100):
        seen.line.value = place
        pictures.append(bytes(seen.picture.value))
    assert len(set(pictures)) == 3
    assert len(pictures[0]) < len(pictures[1]) < len(pictures[2])  # more noise, more bytes
    seen.own.value = True
    assert bytes(seen.picture.value) != pictures[-1]


def test_before_and_after_of_a_volume_can_be_walked_through(rng):
    volume = Image(rng.random((6, 20, 24)), "ZYX")
    seen = widgets.compare_slider(
        volume, Prediction(Restored(volume.replace(pixels=volume.pixels / 2)))
    )
    first = bytes(seen.picture.value)
    seen.sliders["Z"].value = 0
    assert bytes(seen.picture.value) != first


def test_before_and_after_must_have_one_size(rng):
    with pytest.raises(UserError, match="same size"):
        widgets.compare_slider(rng.random((20, 24)), rng.random((20, 25)))
