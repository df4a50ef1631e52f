"""Do two files show the same thing? Labels, clean images, backgrounds and brightness gone wrong.

The fields are drawn here, so that the true number of nuclei, the turn and the shift are known.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from drawn_fields import (
    NUCLEI,
    codes_of,
    count_labels,
    draw_image,
    draw_label,
    make_set,
    repair,
)
from scipy import ndimage
from skimage.transform import resize

from nbtools import checks, io
from nbtools.checks import Finding
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import Image

TURNS = {  # how labels were spoiled, and the words for what brings them back
    "turned upside down": lambda a: a[::-1],
    "mirrored left to right": lambda a: a[:, ::-1],
    "turned by 180°": lambda a: a[::-1, ::-1],
    "with X and Y exchanged": lambda a: a.T,
    "turned by 90° to the left": lambda a: np.rot90(a, -1),
    "turned by 90° to the right": lambda a: np.rot90(a),
}


def draw_colours(label, seed):
    """Dark nuclei on bright tissue."""
    return draw_image(label, seed, dark=True)


@pytest.mark.parametrize("draw", [draw_image, draw_colours])
@pytest.mark.parametrize("shape", [(160, 160), (24, 96, 96)])
def test_right_labels_bring_no_finding(draw, shape):
    assert codes_of(make_set(draw=draw, shape=shape)) == set()


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("draw", [draw_image, draw_colours])
def test_turned_labels_are_named_and_turned_back(tmp_path, name, draw):
    dataset = make_set(label=lambda labels, i: TURNS[name](labels[i]), draw=draw)
    found = [f for f in checks.check(dataset) if f.severity == "error"]
    assert [f.code for f in found] == ["turned_label"] * 3
    assert all(f"{name} they do" in f.message for f in found)
    changes, copy = repair(dataset, tmp_path / "copy")
    assert codes_of(copy) == set()
    for i, sample in enumerate(copy):
        np.testing.assert_array_equal(sample.label.pixels, draw_label(i))
    assert [row["after"] for row in changes.counts] == [NUCLEI] * 3


def test_a_volume_with_its_planes_in_reverse_order_is_named():
    dataset = make_set(label=lambda labels, i: labels[i][::-1], shape=(24, 96, 96), count=2)
    found = [f for f in checks.check(dataset) if f.code == "turned_label"]
    assert len(found) == 2
    assert "with the planes in reverse order" in found[0].message


@pytest.mark.parametrize("turn", [np.transpose, np.rot90, lambda a: np.rot90(a, -1)])
def test_labels_of_another_shape_get_the_turn_that_fits(tmp_path, turn):
    dataset = make_set(label=lambda labels, i: turn(labels[i]), shape=(150, 190))
    assert codes_of(dataset) == {"transposed_label"}
    _, copy = repair(dataset, tmp_path / "copy")
    assert codes_of(copy) == set()
    np.testing.assert_array_equal(copy[0].label.pixels, draw_label(0, shape=(150, 190)))


def test_labels_of_the_next_image_are_an_error_that_names_the_owner(tmp_path):
    dataset = make_set(label=lambda labels, i: labels[(i + 1) % 3])
    found = [f for f in checks.check(dataset) if f.code == "misplaced_label"]
    assert [f.severity for f in found] == ["error"] * 3
    owners = [f.message.split("those of ")[1].rstrip(".") for f in found]
    assert owners == ["n1", "n2", "n0"]
    changes, copy = repair(dataset, tmp_path / "copy")
    assert len(copy) == 0
    assert all(row["left_out"] and row["before"] == NUCLEI for row in changes.counts)


def test_training_stops_where_labels_do_not_lie_on_the_nuclei(tmp_path, run):
    write(tmp_path / "set", make_set(label=lambda labels, i: labels[(i + 1) % 3]))
    code, _, err = run("train", "fast_nuclei", tmp_path / "set", "--out", tmp_path / "m")
    assert code == 2
    assert "do not lie on the nuclei" in err
    assert not (tmp_path / "m").exists()


def test_labels_of_an_image_outside_the_set_are_an_error_without_an_owner():
    def exchange(labels, i):
        return draw_label(99) if i == 5 else labels[i]

    found = [f for f in checks.check(make_set(label=exchange, count=6)) if f.severity != "note"]
    assert [(f.code, f.file) for f in found] == [("misplaced_label", "n5")]
    assert "those of" not in found[0].message


@pytest.mark.parametrize("shift", [(40, -35), (0, 30), (-25, 0)])
def test_labels_shifted_by_more_than_a_nucleus_are_told_by_how_much(shift):
    dataset = make_set(label=lambda labels, i: np.roll(labels[i], shift, (0, 1)))
    found = [f for f in checks.check(dataset) if f.severity == "error"]
    assert [f.code for f in found] == ["shifted_label"] * 3
    assert f"{shift[0]:+d} px in Y and {shift[1]:+d} px in X" in found[0].message


@pytest.mark.parametrize("scale", [1, 7, 100])
def test_labels_copied_into_the_place_of_images_are_an_error(scale):
    dataset = make_set(draw=lambda label, i: (scale * label).astype(np.uint16))
    assert "image_is_label" in codes_of(dataset)
    assert {f.severity for f in checks.check(dataset) if f.code == "image_is_label"} == {"error"}


def test_half_of_the_nuclei_without_a_label_are_counted():
    """Every second of 15 is drawn: 7 have an even number, 8 an odd one."""
    dataset = make_set(label=lambda labels, i: np.where(labels[i] % 2 == 0, labels[i], 0))
    found = [f for f in checks.check(dataset) if f.code == "unlabelled_nuclei"]
    assert len(found) == 3
    assert "shows 8 objects" in found[0].message
    assert "7 are labelled" in found[0].message


def test_what_is_marked_unknown_needs_no_labels():
    def hide(labels, i):
        return np.where(labels[i] % 2 == 0, labels[i], -1) * (labels[i] > 0)

    assert "unlabelled_nuclei" not in codes_of(make_set(label=hide))


BACKGROUNDS = {
    "one more": lambda label: label + 1,
    "255": lambda label: np.where(label > 0, label, 255).astype(np.uint8),
    "1 and 2": lambda label: np.where(label > 0, 1, 2),
    "2 and 1": lambda label: np.where(label > 0, 2, 1),
    "inverted 255": lambda label: np.where(label > 0, 0, 255).astype(np.uint8),
    "inverted 1": lambda label: np.where(label > 0, 0, 1).astype(np.uint8),
}


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_background_that_is_not_0_becomes_0_and_no_nucleus_is_lost(tmp_path, name):
    dataset = make_set(label=lambda labels, i: BACKGROUNDS[name](labels[i]))
    found = [f for f in checks.check(dataset) if f.severity == "error"]
    assert {f.code for f in found} == {"background_label"}
    changes, copy = repair(dataset, tmp_path / "copy")
    assert codes_of(copy) == set()
    assert count_labels(copy) == [NUCLEI] * 3
    for i, sample in enumerate(copy):
        np.testing.assert_array_equal(sample.label.pixels > 0, draw_label(i) > 0)
    assert [(row["before"], row["after"]) for row in changes.counts] == [(NUCLEI, NUCLEI)] * 3


def test_a_frame_of_unknown_pixels_is_no_background():
    """It surrounds the field, but the nuclei lie on 0."""

    def frame(labels, _i):
        framed = np.full((200, 200), 65535, np.uint16)
        framed[20:180, 20:180] = labels[_i]
        return framed

    labels = [draw_label(i) for i in range(2)]
    samples = []
    for i, label in enumerate(labels):
        image = draw_image(np.pad(label, 20), i)
        samples.append(Sample(f"n{i}", Image(image, "YX"), Image(frame(labels, i), "YX")))
    assert codes_of(DataSet.of(samples)) == {"unknown_label"}


@pytest.mark.parametrize(("value", "dtype"), [(255, np.uint8), (65535, np.uint16)])
def test_the_largest_value_over_half_of_the_field_becomes_unknown(tmp_path, value, dtype):
    def cover(labels, i):
        label = labels[i].astype(dtype)
        label[:, 80:] = value
        return label

    dataset = make_set(label=cover)
    found = [f for f in checks.check(dataset) if f.severity == "error"]
    assert {f.code for f in found} == {"unknown_label"}
    assert "covers 50% of the image" in found[0].message
    expected = [len(np.unique(draw_label(i)[:, :80])) - 1 for i in range(3)]
    changes, copy = repair(dataset, tmp_path / "copy")
    assert codes_of(copy) == set()
    assert count_labels(copy) == expected
    assert (copy[0].label.pixels[:, 80:] == -1).all()
    assert [row["before"] for row in changes.counts] == expected


def test_another_huge_label_is_a_warning_and_becomes_unknown_only_when_told(tmp_path):
    def cover(labels, i):
        label = labels[i].copy()
        label[:, 80:] = 30
        return label

    dataset = make_set(label=cover)
    assert codes_of(dataset) == {"oversized_label"}
    _, same = repair(dataset, tmp_path / "same")
    assert (same[0].label.pixels == 30).any()
    _, told = repair(dataset, tmp_path / "told", unknown=(30,))
    assert (told[0].label.pixels[:, 80:] == -1).all()
    assert codes_of(told) == set()


def test_a_hole_larger_than_its_nucleus_or_brighter_is_never_filled():
    from nbtools.checks.image_label_pairs import fill_holes

    grid = np.hypot(*(np.indices((60, 60)) - 30))
    thin, thick = ((grid < 20) & (grid > inner) for inner in (17, 6))
    grey = np.where(thick, 100, 50)
    bright = np.where(grid <= 6, 250, grey)
    for ring, image, filled in ((thin, grey, False), (thick, grey, True), (thick, bright, False)):
        label = Image(ring.astype(np.uint8), "YX")
        result = fill_holes(label, Image(image.astype(np.uint8), "YX")).pixels
        assert bool(result[30, 30]) is filled


RESAMPLINGS = {
    "down and up": lambda a: np.rint(resize(resize(a, (80, 80), order=1), (160, 160), order=1)),
    "real numbers": lambda a: resize(resize(a, (80, 80), order=1), (160, 160), order=1),
    "shifted by half a pixel": lambda a: np.rint(ndimage.shift(a, (0.5, 0.5), order=1)),
}


@pytest.mark.parametrize("name", RESAMPLINGS)
@pytest.mark.parametrize("count", [3, NUCLEI])
def test_interpolated_labels_keep_every_nucleus(tmp_path, name, count):
    def resample(labels, i):
        label = np.where(labels[i] <= count, labels[i], 0).astype(np.float64)
        resampled = RESAMPLINGS[name](label)
        return resampled if "real" in name else resampled.astype(np.uint16)

    def draw(label, seed):
        return draw_image(np.where(label <= count, label, 0), seed)

    dataset = make_set(label=resample, draw=draw)
    errors = {f.code for f in checks.check(dataset) if f.severity == "error"}
    assert errors == {"interpolated_label"}
    changes, copy = repair(dataset, tmp_path / "copy")
    assert codes_of(copy) == set()
    assert count_labels(copy) == [count] * 3
    assert [(row["before"], row["after"]) for row in changes.counts] == [(count, count)] * 3
    truth = np.where(draw_label(0) <= count, draw_label(0), 0)
    overlap = (copy[0].label.pixels == truth)[truth > 0].mean()
    assert overlap > 0.85


def test_a_repair_that_loses_nuclei_is_refused_until_it_is_allowed(tmp_path, monkeypatch):
    from nbtools.checks import label_repairs

    def spoil(view, _options):
        """Keep one nucleus only, as a bad threshold would."""
        return view.label.replace(pixels=(view.label.pixels == 2).astype(np.int32))

    monkeypatch.setitem(label_repairs.LABEL_REPAIRS, "background_label", spoil)
    dataset = make_set(label=lambda labels, i: labels[i] + 1, count=1)
    changes, copy = repair(dataset, tmp_path / "copy")
    assert len(copy) == 0
    assert f"only 1 of {NUCLEI} nuclei" in changes[0]
    changes, copy = repair(dataset, tmp_path / "told", allow_fewer=True)
    assert len(copy) == 1
    assert f"{NUCLEI} nuclei before, 1 after" in changes[-1]


def test_fading_with_depth_is_told_and_evened_out_only_when_asked(tmp_path):
    """exp(-z / 10) over 24 planes: the halves differ by exp(1.2) = 3.3."""
    dataset = make_set(
        draw=lambda label, i: draw_image(label, i, fading=1 / 10), shape=(24, 96, 96), count=2
    )
    found = [f for f in checks.check(dataset) if f.severity == "warning"]
    assert {f.code for f in found} == {"fades_with_depth"}
    times = float(found[0].message.split(" times")[0].split()[-1])
    assert times == pytest.approx(np.exp(1.2), rel=0.15)
    changes, _ = repair(dataset, tmp_path / "same")
    assert changes == []
    _, evened = repair(dataset, tmp_path / "evened", even_depth=True)
    assert codes_of(evened) == set()


@pytest.mark.parametrize("kind", ["centres", "boxes"])
def test_columns_of_centres_and_boxes_that_are_exchanged_are_put_right(tmp_path, kind):
    samples, truth = [], []
    for i in range(2):
        label = draw_label(i)
        boxes = ndimage.find_objects(label)
        rows = np.array([[y.start, x.start, y.stop, x.stop] for y, x in boxes], float)
        if kind == "centres":
            rows = (rows[:, :2] + rows[:, 2:] - 1) / 2
        truth.append(rows)
        swapped = rows[:, [1, 0, 3, 2][: rows.shape[1]]]
        image = Image(draw_image(label, i), "YX", (1, 1))
        samples.append(Sample(f"n{i}", image, **{kind: swapped}))
    dataset = DataSet.of(samples)
    code = {"centres": "turned_centre", "boxes": "turned_box"}[kind]
    assert codes_of(dataset) == {code}
    _, copy = repair(dataset, tmp_path / "copy")
    assert codes_of(copy) == set()
    for sample, rows in zip(copy, truth, strict=True):
        np.testing.assert_allclose(getattr(sample, kind), rows)


def write(folder: Path, dataset: DataSet) -> Path:
    """The images and labels of a set in memory, as files."""
    for sample in dataset:
        io.write_image(folder / "images" / f"{sample.name}.tif", sample.image)
        io.write_label(folder / "labels" / f"{sample.name}.tif", sample.label)
    return folder


def test_the_command_line_counts_nuclei_and_draws_what_it_found(tmp_path, run):
    write(tmp_path / "set", make_set(label=lambda labels, i: labels[i][::-1], count=2))
    options = ("--fix", tmp_path / "copy", "--save-pictures", tmp_path / "pictures")
    code, out, _ = run("check", tmp_path / "set", *options, "--json")
    document = json.loads(out)
    assert code == 1
    assert [(row["before"], row["after"]) for row in document["nuclei"]] == [(NUCLEI, NUCLEI)] * 2
    pictures = sorted(p.name for p in (tmp_path / "pictures").glob("*.png"))
    assert document["pictures"] == pictures
    assert len(pictures) == 2
    code, out, _ = run("check", tmp_path / "copy")
    assert code == 0


@pytest.mark.parametrize("option", ["--allow-fewer", "--even-depth", ("--unknown", "255")])
def test_options_of_the_copy_need_one(tmp_path, run, option):
    write(tmp_path / "set", make_set(count=1))
    given = (option,) if isinstance(option, str) else option
    code, _, err = run("check", tmp_path / "set", *given)
    assert code == 2
    assert "Add --fix COPY" in err


def test_findings_of_real_sets_with_true_labels_are_none(data_folder):
    """Curated labels of four kinds of nuclei: none of the findings of this file may appear."""
    new = {"misplaced_label", "doubtful_label", "turned_label", "shifted_label", "background_label"}
    new |= {"unlabelled_nuclei", "unknown_label", "oversized_label", "interpolated_label"}
    new |= {"fades_with_depth", "image_is_label"}
    for name in ("dsb2018_fluorescence/val", "dsb2018_other/val", "micronuclei_cells/all"):
        dataset = DataSet.open(data_folder / name)
        some = dataset.subset(range(0, len(dataset), max(1, len(dataset) // 6)))
        assert not {f.code for f in checks.check(some)} & new


def test_a_picture_shows_the_labels_as_they_are_and_as_they_fit():
    from nbtools import show

    dataset = make_set(label=lambda labels, i: labels[i].T, count=1)
    [(finding, figure)] = show.found_pictures(dataset, checks.check(dataset))
    assert isinstance(finding, Finding)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["image", "labels on the image", "labels with X and Y exchanged"]
    assert finding.message in figure.alt


def test_a_copy_is_never_written_over_the_original(tmp_path):
    dataset = make_set(count=1)
    folder = write(tmp_path / "set", dataset)
    with pytest.raises(UserError):
        checks.fix(DataSet.open(folder), [], folder=folder)
