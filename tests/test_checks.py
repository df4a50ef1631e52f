"""Every fault is found, said in plain words with a remedy, and repaired where that can be done."""

import re
from pathlib import Path

import numpy as np
import pytest
from reliability import bad_data

from nbtools import checks, io
from nbtools.checks import Finding, Requirements
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import RGB, Image


def codes_of(findings):
    return {f.code for f in findings}


def pair_of(label, **about):
    image = np.random.default_rng(0).integers(0, 200, label.shape).astype(np.uint8)
    return DataSet.of(
        [
            Sample(
                "a", Image(image, "ZYX"[-label.ndim :], **about), Image(label, "ZYX"[-label.ndim :])
            )
        ]
    )


def test_a_good_set_has_no_findings(tmp_path):
    bad_data.write_good(tmp_path)
    assert checks.check(tmp_path) == []


@pytest.mark.parametrize("name", bad_data.CASES)
def test_each_fault_is_found_and_said(tmp_path, name):
    code = bad_data.build(tmp_path, [name])[name]
    findings = checks.check(tmp_path / name)
    assert code in codes_of(findings)
    for finding in findings:
        assert finding.severity in ("error", "warning", "note")
        for text in (finding.message, finding.remedy, finding.why):
            assert text.endswith(".")
            assert "Traceback" not in text
            assert "\n" not in text
        assert not finding.file.startswith("/")


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, (_, code) in bad_data.CASES.items()
        if code not in ("spacing_missing", "foreign_file")
    ],
)
def test_a_fault_brings_no_other_errors(tmp_path, name):
    code = bad_data.build(tmp_path, [name])[name]
    consequences = {
        "missing_image": set(),
        "movie": {"mixed_axes"},
        "no_images": {"missing_image"},
        "axes_unknown": {"unreadable"},
    }
    errors = {f.code for f in checks.check(tmp_path / name) if f.severity == "error"}
    assert errors <= {code} | consequences.get(code, set())


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="existing folder"):
        checks.check(tmp_path / "nowhere")


def test_the_gravest_findings_come_first(tmp_path):
    bad_data.build(tmp_path, ["one_label_missing"])
    bad_data.foreign_files(tmp_path / "one_label_missing")
    bad_data.saturated_image(tmp_path / "one_label_missing")
    assert [f.severity for f in checks.check(tmp_path / "one_label_missing")] == [
        "error",
        "warning",
        "note",
        "note",
    ]


def test_json_says_ok_only_without_errors_and_warnings():
    note, warning = (Finding("c", s, "a.tif", "m.", "r.") for s in ("note", "warning"))
    expected = {
        "code": "c",
        "severity": "note",
        "file": "a.tif",
        "message": "m.",
        "remedy": "r.",
        "why": checks.explain("c"),
    }
    assert checks.to_json([note], 3) == {"ok": True, "images": 3, "findings": [expected]}
    assert not checks.to_json([warning], 3)["ok"]


def test_every_code_says_why_it_matters():
    """Codes are read from the sources; those of partners are made up from their kind."""
    source = "".join(p.read_text() for p in Path(checks.__file__).parent.glob("*.py"))
    codes = set(re.findall(r'Finding\(\s*"([a-z_]+)"', source)) | {
        code for _, code in bad_data.CASES.values()
    }
    codes |= {f"{c}_between_splits" for c in ("near_duplicate", "sibling_tiles")} | {
        "no_clean",
        "missing_boxes",
        "axes_unknown",
    }
    assert len(codes) > 60
    assert [c for c in codes if not checks.explain(c).endswith(".")] == []


def test_what_a_method_needs_is_checked():
    label = np.zeros((64, 64), np.uint16)
    label[5:20, 5:20], label[30:50, 30:50] = 1, 2
    dataset = pair_of(label, spacing=(1, 1))
    assert checks.check(dataset, Requirements()) == []
    assert codes_of(checks.check(dataset, Requirements(dims=(3,)))) == {"wrong_dimensions"}
    assert codes_of(checks.check(dataset, Requirements(patch_size=96))) == {"smaller_than_patch"}
    assert codes_of(checks.check(dataset, Requirements(needs="clean"))) == {"no_clean"}
    assert codes_of(checks.check(dataset, Requirements(needs="classes"))) == {"no_classes"}
    assert codes_of(checks.check(dataset, Requirements(needs="nothing"))) == set()


def test_nuclei_are_compared_with_patch_and_receptive_field():
    label = np.zeros((112, 112), np.uint16)
    label[4:64, 4:64], label[70:90, 70:90] = (
        1,
        2,
    )  # areas of 3600 and 400 px, in the middle 2000: a disc of 50.5 px
    dataset = pair_of(label, spacing=(1, 1))
    assert checks.check(dataset, Requirements(patch_size=102, receptive_field=51)) == []
    found = checks.check(dataset, Requirements(patch_size=64, receptive_field=31))
    assert codes_of(found) == {"nuclei_large_for_patch", "nuclei_large_for_network"}
    assert "receptive field of the network is 31 px" in " ".join(f.message for f in found)


def test_colours_and_channels_are_errors_only_where_grey_is_needed(rng):
    colour = Image(rng.integers(0, 200, (20, 20, 3)).astype(np.uint8), "YXC", (1, 1), channels=RGB)
    several = Image(colour.pixels, "YXC", (1, 1))
    for image, code in ((colour, "rgb"), (several, "several_channels")):
        dataset = DataSet.of([Sample("a", image)])
        found = {
            f.code: f.severity
            for f in checks.check(dataset, Requirements(needs="nothing", channels=1))
        }
        assert found[code] == "error"
        assert checks.check(dataset, Requirements(needs="nothing", channels=(1, 3))) == []


def test_one_nucleus_is_no_mask_and_touching_labels_are_not_torn():
    label = np.zeros((30, 30), np.uint16)
    label[5:15, 5:15] = 1
    assert checks.check(pair_of(label, spacing=(1, 1))) == []
    label[15:25, 5:15] = 2
    label[15, 15] = 1  # touches by a corner only: still one part
    assert checks.check(pair_of(label, spacing=(1, 1))) == []
    label[28, 28] = 1
    assert codes_of(checks.check(pair_of(label, spacing=(1, 1)))) == {"label_in_parts"}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32])
def test_labels_of_every_type_are_checked(dtype):
    label = np.zeros((30, 30), dtype)
    highest = np.iinfo(dtype).max
    label[2:8, 2:8], label[12:18, 2:8], label[22:28, 22:28] = 1, highest, highest
    finding = next(f for f in checks.check(pair_of(label, spacing=(1, 1))))
    assert finding.code == "label_in_parts"
    assert str(highest) in finding.message


REPAIRED = [
    "grey_as_colours",
    "not_a_number",
    "real_labels",
    "binary_mask",
    "mask_of_ones",
    "blurred_mask",
    "mask_as_jpeg",
    "label_in_parts",
    "same_number_twice",
    "transposed_label",
    "swapped",
    "rings",
    "inverted_mask",
    "corners_exchanged",
    "boxes_beyond_the_border",
    "box_listed_twice",
    "centres_in_micrometres",
]
LEFT_OUT = [
    "truncated_tiff",
    "one_label_missing",
    "last_label_missing",
    "unequal_shapes",
    "probability_map",
    "coloured_labels",
    "five_unnamed_dimensions",
    "image_as_its_own_label",
    "duplicate_of_another_format",
    "pickled_labels_of_cellpose",
    "minus_seven",
    "words_instead_of_edges",
    "broken_voc",
    "centres_without_their_columns",
]


@pytest.mark.parametrize("name", REPAIRED + LEFT_OUT)
def test_a_repaired_copy_has_no_faults_and_the_original_is_untouched(tmp_path, name):
    bad_data.build(tmp_path, [name])
    before = {p: p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
    dataset = DataSet.open(tmp_path / name)
    changes = checks.fix(dataset, checks.check(dataset), folder=tmp_path / "copy")
    assert len(changes) >= 1
    assert all(c.split(": ")[0].rsplit("/", 1)[-1].startswith(("n1.", "n2.")) for c in changes)
    copy = DataSet.open(tmp_path / "copy")
    assert len(copy) == (3 if name in REPAIRED else 2)
    assert not [
        f
        for f in checks.check(copy)
        if f.severity in ("error", "warning") and f.code != "mixed_types"
    ]
    assert {p: p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()} == before
    if name in REPAIRED[2:]:
        assert len(np.unique(copy[1].label.pixels)) - 1 == 6
        assert (copy[1].label.pixels > 0).mean() == pytest.approx(
            (bad_data.draw_pair(1)[1] > 0).mean(), rel=0.1
        )


def test_a_repaired_copy_keeps_parts_classes_and_spacing(tmp_path):
    for part in ("train", "val"):
        for i in range(3):
            for kind, pixels in zip(
                ("images", "labels"), bad_data.draw_pair(i + 7 * (part == "val")), strict=True
            ):
                bad_data.write(tmp_path / "set" / part / kind / f"n{i}.tif", pixels)
        if part == "train":
            bad_data.binary_mask(tmp_path / "set" / part)
        rows = [{"name": f"n{i}", "class": "ab"[i % 2]} for i in range(3)]
        io.write_csv(tmp_path / "set" / part / "classes.csv", rows)
    (tmp_path / "set" / "dataset.toml").write_text('licence = "CC0"\n')
    dataset = DataSet.open(tmp_path / "set")
    checks.fix(dataset, checks.check(dataset), folder=tmp_path / "copy")
    parts = DataSet.open(tmp_path / "copy").splits()
    assert {k: (len(v), v.class_names) for k, v in parts.items()} == {
        "train": (3, ["a", "b"]),
        "val": (3, ["a", "b"]),
    }
    assert parts["val"][1].image.spacing_um == (0.5, 0.5)
    assert DataSet.open(tmp_path / "copy" / "val").meta == {"licence": "CC0"}


def test_real_sets_are_judged_as_known(data_folder):
    assert codes_of(checks.check(data_folder / "mouse_embryo_3d" / "all")) == set()
    assert codes_of(checks.check(data_folder / "dsb2018_fluorescence" / "test")) == {
        "spacing_missing",
        "sibling_tiles",
    }
    masks = DataSet.open(data_folder / "teaching_images" / "xy_8bit_binary__nuclei.tif")
    sample = Sample("a", masks.image(0), label=masks.image(0))
    assert "binary_label" in codes_of(checks.check(DataSet.of([sample])))


def test_a_quick_check_finds_what_forbids_training_and_nothing_else(tmp_path, rng):
    label = np.zeros((40, 40), np.uint8)
    label[5:15, 5:15] = 255
    for i in range(120):
        write_pair(
            tmp_path, f"image{i:03d}", rng.integers(1, 200, (40, 40)).astype(np.uint8), label
        )
    (tmp_path / "labels" / "image077.tif").unlink()
    found = checks.check(tmp_path, quick=True)
    assert {f.code for f in found} == {"binary_label", "missing_labels"}
    assert [f.file for f in found if f.code == "missing_labels"] == ["image077"]
    assert 40 < len(found) < 80


def write_pair(folder, name, image, label):
    """An image and its label in the layout of a data set."""
    for kind, pixels in (("images", image), ("labels", label)):
        io.write_image(folder / kind / f"{name}.tif", Image(pixels, "YX"))
