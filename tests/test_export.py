"""Twin of export: outlines that give the labels back, files that other programs read."""

import csv
import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import roifile
import tifffile
from skimage.draw import disk, polygon
from skimage.measure import label as find_parts

from nbtools import export, methods
from nbtools.data import Sample
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference.run_network import run_network


@pytest.fixture
def field(rng) -> Image:
    """Twenty-five nuclei of random size, some cut by the border."""
    pixels = np.zeros((160, 180), np.uint16)
    for number, (y, x) in enumerate(
        [(y, x) for y in range(8, 160, 35) for x in range(2, 180, 40)], start=1
    ):
        rows, columns = disk((y, x), rng.uniform(5, 14), shape=pixels.shape)
        pixels[rows, columns] = 3 * number
    return Image(pixels, "YX", spacing=(0.25, 0.25), name="field")


def paint(roi: roifile.ImagejRoi, shape: tuple, *, centre: float = 0.5) -> np.ndarray:
    """The pixels that a program fills whose first pixel has its centre at (centre, centre); Fiji's
    is at 0.5.
    """
    mask = np.zeros(shape, bool)
    x, y = roi.coordinates().T - centre
    mask[polygon(y, x, shape)] = True
    return mask


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def test_outlines_filled_in_fiji_give_back_the_very_labels(field, tmp_path):
    assert export.rois(field, tmp_path / "r.zip") == 25
    for roi in roifile.roiread(tmp_path / "r.zip"):
        mask = field.pixels == int(roi.name.split("-")[1])
        assert overlap(paint(roi, mask.shape), mask) == 1.0


def test_outlines_filled_from_pixel_centres_give_back_nearly_the_same(field, tmp_path):
    export.rois(field, tmp_path / "r.zip")
    found = [
        overlap(paint(r, field.shape, centre=0), field.pixels == int(r.name.split("-")[1]))
        for r in roifile.roiread(tmp_path / "r.zip")
    ]
    assert np.mean(found) > 0.95


def test_any_mask_without_holes_is_given_back_exactly(rng):
    for _ in range(40):
        mask = find_parts(rng.random((12, 14)) > 0.45, connectivity=2) == 1
        filled = np.zeros_like(mask)
        for points in export.trace_mask(mask):
            x, y = points.T - 0.5
            filled[polygon(y, x, mask.shape)] = True
        outside = find_parts(np.pad(~mask, 1, constant_values=True), connectivity=1)
        assert np.array_equal(filled, outside[1:-1, 1:-1] != outside[0, 0])


def test_in_a_volume_each_outline_is_tied_to_its_slice(tmp_path):
    pixels = np.zeros((4, 20, 20), np.int32)
    pixels[1:3, 5:12, 5:12] = 70_001
    assert export.rois(Image(pixels, "ZYX"), tmp_path / "r.zip") == 2
    found = roifile.roiread(tmp_path / "r.zip")
    assert [(r.name, r.position) for r in found] == [
        ("nucleus-70001-z002", 2),
        ("nucleus-70001-z003", 3),
    ]


def test_parts_of_one_nucleus_have_names_of_their_own_and_holes_none(tmp_path):
    pixels = np.zeros((20, 20), np.uint8)
    pixels[2:10, 2:10] = pixels[14:17, 14:17] = 4
    pixels[5, 5] = 0
    assert export.rois(Image(pixels, "YX"), tmp_path / "r.zip") == 2
    assert [r.name for r in roifile.roiread(tmp_path / "r.zip")] == [
        "nucleus-0004",
        "nucleus-0004-2",
    ]


def test_an_empty_label_image_gives_an_empty_zip_and_ignored_pixels_no_outline(tmp_path):
    assert export.rois(Image(np.zeros((9, 9), np.uint8), "YX"), tmp_path / "r.zip") == 0
    assert export.rois(Image(np.full((9, 9), -1, np.int32), "YX"), tmp_path / "r.zip") == 0


def test_channels_are_refused_in_words(tmp_path):
    with pytest.raises(UserError, match="with or without T"):
        export.rois(Image(np.zeros((3, 9, 9), np.uint8), "CYX"), tmp_path / "r.zip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("axes", ["TYX", "TZYX"])
def test_outlines_of_a_movie_are_those_of_all_frames_at_their_place_in_fiji(axes, tmp_path):
    # two frames, in volumes of two slices: nucleus 7 in every plane
    shape = (2, 9, 9) if axes == "TYX" else (2, 2, 9, 9)
    pixels = np.zeros(shape, np.uint8)
    pixels[..., 2:6, 2:6] = 7
    export.rois(Image(pixels, axes), tmp_path / "r.zip")
    found = roifile.roiread(tmp_path / "r.zip")
    places = [(roi.name, roi.t_position, roi.z_position, roi.position) for roi in found]
    if axes == "TYX":
        assert places == [("nucleus-0007-t001", 1, 1, 1), ("nucleus-0007-t002", 2, 1, 2)]
    else:  # the stack runs through the slices of a frame first
        assert places == [
            ("nucleus-0007-t001-z001", 1, 1, 1),
            ("nucleus-0007-t001-z002", 1, 2, 2),
            ("nucleus-0007-t002-z001", 2, 1, 3),
            ("nucleus-0007-t002-z002", 2, 2, 4),
        ]


def test_two_thousand_nuclei_take_seconds(tmp_path):
    pixels = np.kron(np.arange(1, 2026).reshape(45, 45), np.pad(np.ones((12, 12), int), 4)).astype(
        np.uint16
    )
    begin = time.perf_counter()
    assert export.rois(Image(pixels, "YX"), tmp_path / "r.zip") == 2025
    assert time.perf_counter() - begin < 10


def test_labels_keep_their_pixel_size_in_the_file(field, tmp_path):
    export.labels(field, tmp_path / "l.tif")
    with tifffile.TiffFile(tmp_path / "l.tif") as file:
        assert file.imagej_metadata["unit"] in ("um", "µm", "micron", "\\u00B5m")
        x = file.pages[0].tags["XResolution"].value
        assert x[0] / x[1] == pytest.approx(4.0)
        assert np.array_equal(file.asarray(), field.pixels)


def test_a_table_becomes_a_csv_with_one_row_a_nucleus(tmp_path):
    export.table(
        {"label": np.array([1, 2]), "area_um2": np.array([3.5, np.nan])}, tmp_path / "t.csv"
    )
    assert list(csv.reader((tmp_path / "t.csv").open())) == [
        ["label", "area_um2"],
        ["1", "3.5"],
        ["2", ""],
    ]


def test_a_run_is_saved_whole_with_all_that_was_found(field, tmp_path):
    image = field.replace(pixels=(field.pixels > 0) * 100.0)
    found = SimpleNamespace(labels=field, seconds=0.5)
    method = methods.load("otsu")
    folder = export.save_run(
        tmp_path / "run",
        Sample("field", image, field),
        found,
        {"label": [1, 2]},
        method,
        overwrite=True,
    )
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == {
        ".nbtools.jsonl",
        "field.tif",
        "overlays/field.png",
        "rois/field.zip",
        "nuclei.csv",
        "summary.csv",
        "result.json",
        "scores/scores.json",
        "scores/errors/field.png",
    }
    about = json.loads((folder / "result.json").read_text())
    assert about["method"] == "otsu"
    assert (about["images"][0]["nuclei"], about["seconds"], about["axes"]) == (25, 0.5, "YX")
    assert json.loads((folder / "scores" / "scores.json").read_text())["mean_ap"] == 1
    with pytest.raises(UserError, match="overwritten"):
        export.save_run(folder, image, field)


def test_a_run_without_labels_is_refused_in_words(field, tmp_path):
    with pytest.raises(UserError, match="needs labels"):
        export.save_run(tmp_path / "run", field, {"label": [1]})
    assert not (tmp_path / "run").exists()


def test_a_model_is_exported_only_in_a_known_format_and_only_if_it_has_a_network(tmp_path):
    with pytest.raises(UserError, match="keras"):
        export.write_model(SimpleNamespace(model=object()), tmp_path / "m", format="fiji")
    with pytest.raises(UserError, match="network"):
        export.write_model(SimpleNamespace(name="otsu"), tmp_path / "m")


def test_a_failed_export_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(method, path):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setitem(export.FORMATS, "half", (".half", fail))
    with pytest.raises(UserError, match="writable"):
        export.write_model(SimpleNamespace(model=object()), tmp_path / "m", format="half")
    assert not list(tmp_path.iterdir())


MODELS = Path(__file__).resolve().parent / "golden" / "models"
OWN = {
    "n2v_2D": ["_Blur"],
    "pn2v_2D": ["_Blur"],
    "pn2v_3D": ["_Blur"],
    "deconoising_2D": ["Psf"],
    "deconoising_3D": ["Psf"],
}


@pytest.mark.parametrize("name", sorted(p.name for p in MODELS.iterdir() if p.is_dir()))
def test_an_exported_network_has_layers_of_keras_alone_and_answers_as_the_method(
    tmp_path, rng, name
):
    stock_layers = pytest.importorskip("nbtools.export.stock_layers")
    import keras

    method = methods.load(MODELS / name)
    if getattr(method, "model", None) is None:
        pytest.skip(f"{name} has no network")
    again = keras.saving.load_model(export.write_model(method, tmp_path / "net"), safe_mode=True)
    assert stock_layers.find_own_layers(again) == OWN.get(name, [])
    space = [n or 32 for n in again.inputs[0].shape[1:]]
    pixels = rng.random(space, np.float32) * (1 if method.scale is None else 1000)
    if stock_layers.adds_steps(method):
        wanted = run_network(method.network, pixels)
    else:
        scale, target = method.scale, method.target()
        wanted = target.activate(method.run(pixels if scale is None else scale.apply(pixels)))
        if hasattr(target, "result_channels"):
            wanted = target.scale.undo(wanted[..., target.result_channels])
    found = np.asarray(again(pixels[None]))[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_an_exported_classifier_gives_the_probabilities_that_predict_gives(tmp_path, rng):
    pytest.importorskip("nbtools.export.stock_layers")
    import keras

    method = methods.get("resnet")(preset="tiny", scaling="image")
    method.domain = replace(method.domain, classes=("a", "b", "c"))
    method.adopt(method.build())
    method.tuned = {"temperature": 0.25}
    again = keras.saving.load_model(export.write_model(method, tmp_path / "net"), safe_mode=True)
    pixels = rng.normal(size=(16, 16, 1)).astype(np.float32)
    plain = method.target().activate(method.run(pixels))  # of the image as it is, not padded
    wanted = method.decode(plain, **method.decoding_values()).probability[0]
    np.testing.assert_allclose(np.asarray(again(pixels[None]))[0], wanted, atol=1e-5)
    assert np.abs(wanted - plain).max() > 1e-3


def test_a_network_is_copied_without_what_it_was_compiled_with(rng):
    keras = pytest.importorskip("keras")
    from nbtools.export.stock_layers import use_stock_layers

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)])
    model.compile("adam", loss="mse")
    image = rng.random((1, 8, 8, 1)).astype(np.float32)
    again = use_stock_layers(model)
    assert not again.compiled
    assert np.allclose(again(image), model(image), atol=1e-6)
