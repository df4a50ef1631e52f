"""Data sets: what a folder holds is found, paired, read, split without leaks and written back."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Picture

from nbtools import data, io
from nbtools.data import DataSet, InputOptions, Sample
from nbtools.errors import UserError
from nbtools.image import Image

SHAPE = (16, 18)


def image_of(number, shape=SHAPE, axes="YX"):
    return Image(
        np.random.default_rng(number).integers(0, 250, shape).astype(np.uint8),
        axes,
        name=f"i{number}",
    )


def label_of(shape=SHAPE):
    label = np.zeros(shape, np.uint16)
    label[..., 2:6, 2:6], label[..., 8:12, 8:12] = 1, 2
    return Image(label, "ZYX"[-len(shape) :])


@pytest.fixture
def folder(tmp_path):
    """Six pairs, as a person would have them."""
    for i in range(6):
        io.write_image(tmp_path / "set" / "images" / f"i{i}.tif", image_of(i))
        io.write_label(tmp_path / "set" / "labels" / f"i{i}.tif", label_of())
    return tmp_path / "set"


def test_a_folder_gives_its_pairs(folder):
    dataset = DataSet.open(folder)
    assert (len(dataset), dataset.names, dataset.notes) == (6, [f"i{i}" for i in range(6)], [])
    assert dataset.has("labels")
    assert not dataset.has("clean")
    sample = dataset[2]
    np.testing.assert_array_equal(sample.image.pixels, image_of(2).pixels)
    np.testing.assert_array_equal(sample.label.pixels, label_of().pixels)
    assert [s.name for s in dataset[1:3]] == ["i1", "i2"]


@pytest.mark.parametrize("alias", ["masks", "Labels", "MASKS"])
def test_other_names_of_the_folders_are_known(folder, alias):
    (folder / "labels").rename(folder / "x")
    (folder / "x").rename(folder / alias)
    io.write_image(folder / "GT" / "i0.tif", image_of(9))
    dataset = DataSet.open(folder)
    assert dataset[0].label is not None
    np.testing.assert_array_equal(dataset[0].clean.pixels, image_of(9).pixels)


def test_names_pair_by_stem_whatever_extension_and_case(tmp_path):
    io.write_image(
        tmp_path / "images" / "Field 1.OME.TIF".replace("OME.TIF", "ome.tif"), image_of(0)
    )
    io.write_image(tmp_path / "images" / "b.PNG", image_of(1))
    io.write_label(tmp_path / "labels" / "field 1.png", label_of())
    io.write_label(tmp_path / "labels" / "B.TIFF", label_of())
    dataset = DataSet.open(tmp_path)
    assert dataset.names == ["b", "Field 1"]
    assert all(s.label is not None for s in dataset)


def test_accents_pair_however_they_are_composed(tmp_path):
    io.write_image(tmp_path / "images" / "\u00e9.tif", image_of(0))
    io.write_label(tmp_path / "labels" / "e\u0301.tif", label_of())
    assert DataSet.open(tmp_path)[0].label is not None


def test_hidden_and_foreign_files_are_left_out_and_said(folder):
    for name in ("images/.DS_Store", "images/._i0.tif", "images/notes.docx", "labels/Thumbs.db"):
        (folder / name).write_bytes(b"x")
    (folder / "old stuff").mkdir()
    (folder / "README.md").write_text("about")
    io.write_label(folder / "labels" / "lost.tif", label_of())
    io.write_image(folder / "images" / "i0.png", image_of(0))
    dataset = DataSet.open(folder)
    assert len(dataset) == 6
    assert {n.split(": ")[0] for n in dataset.notes} == {
        "images/.DS_Store",
        "images/._i0.tif",
        "images/notes.docx",
        "labels/Thumbs.db",
        "old stuff",
        "images/i0.tif",
    }
    assert [(k, p.name) for k, p in dataset.orphans] == [("labels", "lost.tif")]


def test_classes_come_from_a_table_or_from_folders(tmp_path):
    for i, name in enumerate(["G1", "S", "G1"]):
        io.write_image(tmp_path / "a" / "images" / f"c{i}.tif", image_of(i))
        io.write_image(tmp_path / "b" / "images" / name / f"c{i}.tif", image_of(i))
    io.write_csv(
        tmp_path / "a" / "classes.csv",
        [{"name": f"C{i}.tif", "class": c} for i, c in enumerate(["G1", "S", "G1"])],
    )
    for place in ("a", "b", "b/images"):
        dataset = DataSet.open(tmp_path / place)
        assert sorted((s.name, s.class_name) for s in dataset) == [
            ("c0", "G1"),
            ("c1", "S"),
            ("c2", "G1"),
        ]
        assert dataset.class_names == ["G1", "S"]


def test_an_image_that_a_table_gives_two_classes_is_refused(tmp_path):
    io.write_image(tmp_path / "images" / "c0.tif", image_of(0))
    (tmp_path / "classes.csv").write_text("name,class\nc0,G1\nc0.tif,S\n")
    with pytest.raises(UserError, match="one class"):
        DataSet.open(tmp_path)


def test_a_table_of_nuclei_gives_no_class_to_their_image(tmp_path):
    io.write_image(tmp_path / "images" / "a.tif", image_of(0))
    table = "image,frame,label,score,class\na,,1,0.9,interphase\na,,2,0.3,mitosis\n"
    (tmp_path / "objects.csv").write_text(table)
    assert DataSet.open(tmp_path)[0].class_name is None


def test_two_classes_may_have_images_of_one_name(tmp_path):
    for name in ("G1", "S"):
        io.write_image(tmp_path / "images" / name / "001.tif", image_of(0))
        io.write_label(tmp_path / "labels" / name / "001.tif", label_of())
    dataset = DataSet.open(tmp_path)
    assert [(s.name, s.class_name, s.label is not None) for s in dataset] == [
        ("001", "G1", True),
        ("S_001", "S", True),
    ]


def test_dataset_toml_names_axes_spacing_and_channels(tmp_path):
    io.write_image(tmp_path / "images" / "a.png", image_of(0))
    (tmp_path / "dataset.toml").write_text('axes = "YX"\nspacing = [200, 100]\nunit = "nm"\n')
    assert DataSet.open(tmp_path)[0].image.spacing_um == (0.2, 0.1)
    assert DataSet.open(tmp_path / "images")[0].image.spacing_um == (0.2, 0.1)
    assert DataSet.open(tmp_path / "images" / "a.png")[0].image.spacing_um == (0.2, 0.1)
    assert DataSet.open(tmp_path, options=InputOptions(spacing=(3,)))[0].image.spacing_um == (3, 3)
    (tmp_path / "dataset.toml").write_text("axes = YX")
    with pytest.raises(UserError, match=r"dataset\.toml must be a valid TOML file"):
        DataSet.open(tmp_path)


def test_a_label_follows_the_axes_and_spacing_of_its_image(tmp_path):
    io.write_image(
        tmp_path / "images" / "a.tif", image_of(0, (3, *SHAPE), "ZYX").replace(spacing=(2, 1, 1))
    )
    io.write_label(tmp_path / "labels" / "a.tif", Image(np.ones((3, *SHAPE), np.uint16), "CYX"))
    label = DataSet.open(tmp_path)[0].label
    assert (label.axes, label.spacing_um) == ("ZYX", (2, 1, 1))


def test_channel_and_time_are_chosen_by_number_or_name(tmp_path):
    movie = image_of(0, (4, 2, *SHAPE), "TCYX")
    io.write_image(tmp_path / "images" / "m.tif", movie)
    (tmp_path / "dataset.toml").write_text('channels = ["DNA", "actin"]')
    for channel in (1, "ACTIN"):
        image = DataSet.open(tmp_path, options=InputOptions(channel=channel, time=2))[0].image
        np.testing.assert_array_equal(image.pixels, movie.pixels[2, 1])
    frames = DataSet.open(tmp_path, options=InputOptions(time="all", channel=0))
    assert frames.names == ["m_t0", "m_t1", "m_t2", "m_t3"]
    np.testing.assert_array_equal(frames[3].image.pixels, movie.pixels[3, 0])
    assert len(set(frames.groups())) == 1
    with pytest.raises(UserError, match=r"Channel must be one of the image's.*DNA, actin"):
        DataSet.open(tmp_path, options=InputOptions(channel="tubulin"))[0]


@pytest.mark.parametrize("time", [1, "all"])
def test_the_label_of_a_movie_follows_its_time_point(tmp_path, time):
    labels = np.stack([n * label_of().pixels for n in range(1, 4)])
    io.write_image(tmp_path / "images" / "m.tif", image_of(0, (3, *SHAPE), "TYX"))
    io.write_label(tmp_path / "labels" / "m.tif", Image(labels, "TYX"))
    sample = DataSet.open(tmp_path, options=InputOptions(time=time))[0 if time == 1 else 1]
    assert sample.label.axes == "YX"
    np.testing.assert_array_equal(sample.label.pixels, labels[1])


def test_formats_of_microscopes_are_said_with_the_way_out(tmp_path):
    io.write_image(tmp_path / "images" / "a.tif", image_of(0))
    (tmp_path / "images" / "b.vsi").write_bytes(b"x")
    (tmp_path / "images" / "c.oib").write_bytes(b"x")
    notes = DataSet.open(tmp_path).notes
    assert len(notes) == 2
    assert all("save it as OME-TIFF" in n for n in notes)


def test_a_broken_partner_fails_only_when_it_is_read(folder):
    Picture.fromarray(np.zeros((*SHAPE, 3), np.uint8)).save(folder / "labels" / "i0.png")
    (folder / "labels" / "i0.tif").unlink()
    dataset = DataSet.open(folder)
    assert dataset.image(0).shape == SHAPE
    with pytest.raises(UserError, match="whole numbers"):
        dataset[0]


def test_an_empty_folder_is_an_empty_set_and_a_missing_one_is_refused(tmp_path):
    assert len(DataSet.open(tmp_path)) == 0
    with pytest.raises(UserError, match="must be an existing folder"):
        DataSet.open(tmp_path / "nowhere")


def test_a_folder_of_parts_gives_them(folder, tmp_path):
    data.copy_split(DataSet.open(folder).split(val=0.2, test=0.2), tmp_path / "out")
    both = DataSet.open(tmp_path / "out")
    assert {k: len(v) for k, v in both.splits().items()} == {"train": 4, "val": 1, "test": 1}
    assert sorted(both.names) == [f"i{i}" for i in range(6)]
    assert DataSet.open(folder).splits() == {}


def test_a_split_is_seeded_and_loses_nothing(folder):
    dataset = DataSet.open(folder)
    train, val, test = dataset.split(val=0.2, test=0.3, seed=3)
    assert (len(train), len(val), len(test)) == (3, 1, 2)
    assert sorted(train.names + val.names + test.names) == dataset.names
    assert dataset.split(val=0.2, test=0.3, seed=3)[1].names == val.names
    assert {tuple(dataset.split(val=0.2, seed=s)[1].names) for s in range(9)} != {tuple(val.names)}


def test_duplicates_groups_and_tiles_stay_together(rng):
    images = [image_of(i) for i in range(12)]
    images[5] = images[0].replace(name="again")
    names = ["a_tile_1", "a_tile_2", "b_r0_c1", "b_r1_c1", *"cdefghij"]
    groups = [None] * 8 + ["x", "x", "x", None]
    dataset = DataSet.of(
        [Sample(n, i, group=g) for n, i, g in zip(names, images, groups, strict=True)]
    )
    together = [{"a_tile_1", "a_tile_2", "d"}, {"b_r0_c1", "b_r1_c1"}, {"g", "h", "i"}]
    for seed in range(20):
        parts = [set(p.names) for p in dataset.split(val=0.25, test=0.25, seed=seed)]
        assert all(any(t <= p for p in parts) for t in together)
        assert all(parts)


def test_a_group_column_is_found_in_tables_beside_and_above(folder):
    io.write_csv(
        folder.parent / "index.csv", [{"name": f"i{i}", "field": i // 2} for i in range(6)]
    )
    dataset = DataSet.open(folder)
    assert dataset.groups("field") == [0, 0, 2, 2, 4, 4]
    with pytest.raises(UserError, match=r"column of a CSV file.*'patient'"):
        dataset.groups("patient")


def test_too_few_groups_are_refused(folder):
    dataset = DataSet.open(folder)
    with pytest.raises(UserError, match=r"split into 2 parts needs.*1 in 1 images"):
        dataset[:1].split()
    with pytest.raises(UserError, match="no images"):
        dataset[:0].split()
    assert [len(p) for p in dataset[:2].split(val=0.01)] == [1, 1]


@pytest.mark.parametrize("copy", [True, False])
def test_a_written_set_opens_as_it_was(tmp_path, copy):
    spacing = (0.5, 0.2, 0.2)
    samples = [
        Sample(
            f"s{i}",
            image_of(i, (5, *SHAPE), "ZYX").replace(spacing=spacing),
            label_of((5, *SHAPE)),
            class_name="ab"[i % 2],
            group="g",
        )
        for i in range(3)
    ]
    first = DataSet.of(samples, name="three")
    first.meta.update(licence="CC0", note='quotes " and µ')
    data.write_dataset(first, tmp_path / "one")
    data.write_dataset(DataSet.open(tmp_path / "one"), tmp_path / "two", copy=copy)
    for again in (DataSet.open(tmp_path / "one"), DataSet.open(tmp_path / "two")):
        assert again.meta == {
            "axes": "ZYX",
            "spacing_um": list(spacing),
            "licence": "CC0",
            "note": 'quotes " and µ',
        }
        for sample, old in zip(again, samples, strict=True):
            assert (sample.name, sample.class_name, sample.group, sample.image.spacing_um) == (
                old.name,
                old.class_name,
                "g",
                spacing,
            )
            np.testing.assert_array_equal(sample.image.pixels, old.image.pixels)
            np.testing.assert_array_equal(sample.label.pixels, old.label.pixels)
    with pytest.raises(UserError, match="not overwritten"):
        data.write_dataset(first, tmp_path / "one")


def test_what_was_read_is_remembered_within_bounds(folder, monkeypatch):
    dataset = DataSet.open(folder)
    assert dataset[0] is dataset[0]
    assert dataset.subset([0])[0] is dataset[0]
    monkeypatch.setattr("nbtools.data.reading.REMEMBERED_BYTES", 2 * 3 * 16 * 18)
    small = DataSet.open(folder)
    first = small[0]
    assert [len(small.reader._kept) for _ in small] == [1, 2, 2, 2, 2, 2]
    assert small[0] is not first


def test_the_samples_of_stardist_open_without_importing_it():
    code = (
        "from nbtools import data; print(*data.samples('nuclei2d')[0].image.shape, "
        "*data.samples('nuclei3d')[0].label.shape); import sys"
    )
    code += "; print({'stardist', 'tensorflow', 'keras', 'matplotlib'} & set(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out == "512 512 31 61 57\nset()\n"


def test_an_unknown_sample_set_is_refused():
    with pytest.raises(UserError, match="Use one of: nuclei2d, nuclei3d"):
        data.samples("nothing")


def test_packaged_finds_the_clone():
    assert data.packaged_path("samples", "x").parts[-3:] == ("data", "samples", "x")


@pytest.mark.parametrize(
    ("count", "parts"), [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1])]
)
def test_few_images_are_split_as_far_as_they_go(rng, count, parts):
    samples = [
        Sample(f"{'abc'[i]}", Image(rng.integers(0, 255, (20, 20), dtype=np.uint8), "YX"))
        for i in range(count)
    ]
    train, val, test = DataSet.of(samples).split_few()
    assert [len(train), len(val), len(test)] == parts
    assert len({*train.names, *val.names, *test.names}) == count


def test_tiles_of_one_field_are_never_learned_from_and_tested_with(rng):
    pixels = rng.integers(0, 255, (20, 20), dtype=np.uint8)
    samples = [Sample(name, Image(pixels, "YX")) for name in ("a", "b")]
    assert [len(part) for part in DataSet.of(samples).split_few()] == [2, 0, 0]
