"""Strangers' files, names and words: used, or refused with rule, received and remedy."""

import io as memory
import json
import os
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from reliability import hostile_documents as hostile

from nbtools import documents, geometry, io
from nbtools.errors import UserError

HUGE = 2**31 - 5  # a table over all numbers up to it would take 16 GB


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return hostile.build(tmp_path_factory.mktemp("base"))


@pytest.fixture
def stranger(base, tmp_path) -> Path:
    """A result that came from somebody else, with its maps."""
    shutil.copytree(base / "raw", tmp_path / "theirs" / "raw")
    return tmp_path / "theirs" / "raw"


def test_a_few_of_each_kind_of_attack_end_well(tmp_path, monkeypatch):
    """The long run is a script: python tests/reliability/hostile_documents.py."""
    monkeypatch.delenv("NBTOOLS_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    sandbox = tmp_path.resolve() / "sandbox"
    table, failures = hostile.attack_all(sandbox, counts=(12, 10, 4, 12), seed=1)
    assert failures == []
    assert sum(table.values(), hostile.Counter()).total() == 38


# --- documents


@pytest.mark.parametrize("name", ["../victim", "/tmp/nbtools_victim", "a/../../victim", "..", ""])
def test_decode_writes_nothing_outside_of_its_folder(run, stranger, tmp_path, name):
    path = stranger / "result.json"
    about = json.loads(path.read_text())
    about["images"][0]["name"] = name
    path.write_text(json.dumps(about))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "victim.tif").write_text("precious")
    code, _, err = run("decode", stranger, "--out", tmp_path / "mine" / "new")
    assert code == 2
    assert "result.json: images.0.name must be the name of a file" in err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["victim.tif"]
    assert (tmp_path / "mine" / "victim.tif").read_text() == "precious"


def test_a_good_result_is_decoded(run, stranger, tmp_path):
    code, _, err = run("decode", stranger, "--out", tmp_path / "new", "--set", "threshold=0.8")
    assert code == 0, err
    assert io.read_label(tmp_path / "new" / "im0.tif").pixels.max() == 9  # squares drawn by `build`


@pytest.mark.parametrize("text", ['{"method": "fast_nuclei"}', "null", "[]", "5", "", "[" * 10**5])
def test_a_damaged_model_is_refused(run, base, tmp_path, text):
    shutil.copytree(base / "model", tmp_path / "m")
    (tmp_path / "m" / "model.json").write_text(text)
    verbs = [["predict", tmp_path / "m", base / "data", "--out", tmp_path / "o"]]
    if "method" not in text:  # a report tells what little there is
        verbs.append(["report", tmp_path / "m"])
    for words in verbs:
        code, _, err = run(*words)
        assert code == 2, err
        assert "model.json" in err
        assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf x",
        'nbtools train "x',
        "nbtools train --help",
        "nbtools predict a b",
        "nbtools train unet d --out o; touch PWN",
    ],
)
def test_nothing_but_a_training_is_run_again(run, base, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    recipe = json.loads((base / "model" / "recipe.json").read_text())
    known = {"file": "a.txt", "sha256": io.folders.hash_file(tmp_path / "a.txt")}
    (tmp_path / "recipe.json").write_text(
        json.dumps(recipe | {"command": command, "inputs": [known]})
    )
    code, _, err = run("rerun", tmp_path / "recipe.json", "--out", tmp_path / "o")
    assert code == 2, err
    assert not (tmp_path / "PWN").exists()
    assert not (tmp_path / "o").exists()


# --- labels with large numbers, and grey values in place of labels


@pytest.fixture
def huge(base, tmp_path) -> Path:
    """The data set, its labels renumbered to HUGE, HUGE - 1000 …"""
    shutil.copytree(base / "data", tmp_path / "huge")
    for path in (tmp_path / "huge" / "labels").iterdir():
        label = tifffile.imread(path).astype(np.int64)
        tifffile.imwrite(path, np.where(label > 0, HUGE - 1000 * (label - 1), 0).astype(np.uint32))
    return tmp_path / "huge"


def test_labels_may_have_huge_numbers(run, huge, tmp_path, memory_limit):
    started = time.monotonic()
    assert run("check", huge)[0] in (0, 1)
    code, _, err = run(
        "measure", huge, "--spacing", "1,1", "--min-size", "3", "--out", tmp_path / "n.csv"
    )
    assert code == 0, err
    rows = io.read_csv(tmp_path / "n.csv")
    assert sorted({int(row["label"]) for row in rows})[-1] == HUGE
    assert {float(row["area_um2"]) for row in rows} == {81.0}  # squares of 9 x 9 px
    code, out, err = run("evaluate", huge / "labels", huge, "--json")
    assert code == 0, err
    assert json.loads(out)["mean_ap"] == 1.0
    assert run("train", "otsu", huge, "--out", tmp_path / "m")[0] == 0
    assert time.monotonic() - started < 60


@pytest.fixture
def memory_limit():
    """4 GB beyond what the process has: a table over all labels would not fit."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = (
        int(Path("/proc/self/statm").read_text().split()[0]) * 4096
        if Path("/proc/self/statm").exists()
        else 2**36
    )
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**32, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_sizes_of_huge_labels_are_those_of_small_ones():
    label = np.random.default_rng(0).integers(-1, 9, (40, 50))
    large = np.where(label > 0, HUGE - 9 + label, label)
    assert geometry.count_sizes(large)[1].tolist() == geometry.count_sizes(label)[1].tolist()
    dense, before = geometry.number_densely(large)
    assert np.array_equal(dense, label)
    assert before == {n: HUGE - 9 + n for n in range(1, 9)}
    assert geometry.equivalent_diameters(large) == pytest.approx(
        geometry.equivalent_diameters(label)
    )


def test_grey_values_are_no_labels(run, base, tmp_path):
    images = base / "data" / "images"
    for words in (
        ["measure", images, "--out", tmp_path / "n.csv"],
        ["measure", images / "im0.tif", "--out", tmp_path / "n.csv"],
        ["evaluate", base / "result", images],
        ["evaluate", images, base / "data"],
        ["compare", images, "--truth", base / "data"],
        ["evaluate", base / "result", images, "--task", "semantic"],
    ):
        code, _, err = run(*words)
        assert code == 2, words
        assert "grey values are no labels" in err
    assert not (tmp_path / "n.csv").exists()


def test_labels_of_all_sorts_are_no_grey_values(rng):
    from nbtools.checks.grey_values import are_grey_values

    squares = np.kron(np.arange(1, 401).reshape(20, 20), np.ones((5, 5), int))
    assert not are_grey_values(squares)  # cells that cover all of the image
    specks = np.zeros((200, 200), int)
    specks[::4, ::4] = np.arange(1, 2501).reshape(50, 50)
    assert not are_grey_values(specks)  # what a poor network finds in noise
    assert not are_grey_values((squares > 200).astype(int))  # a mask is told by other checks
    noise = rng.poisson(20, (200, 200))
    assert are_grey_values(noise)
    assert are_grey_values(rng.integers(1, 60000, (200, 200)))
    assert are_grey_values(np.stack([noise] * 3))


# --- words


@pytest.mark.parametrize(
    "words",
    [
        ["train", "otsu", "DATA", "--out", "OUT", "--seed", "5000000000"],
        ["predict", "otsu", "DATA", "--out", "OUT", "--tile", "1,2,3,4"],
        ["predict", "otsu", "DATA", "--out", "OUT", "--tile", "0,0"],
        ["predict", "otsu", "DATA", "--out", "OUT", "--channel", "---5"],
        ["predict", "otsu", "DATA", "--out", "OUT", "--time", "soon"],
        ["predict", "otsu", "DATA", "--out", "OUT", "--axes", ""],
        ["predict", "otsu", "DATA", "--out", "OUT", "--spacing", "1e-300,1e-300"],
        ["predict", "otsu", "DATA", "--out", "OUT", "--min-size", "1e300"],
        ["simulate", "nuclei2d", "--out", "OUT", "--count", "9" * 30],
        ["measure", "DATA", "--channel", "0", "--out", "OUT.csv"],
        ["evaluate", "MODEL", "DATA", "--save"],
        ["evaluate", "MODEL", "DATA", "--biaflows"],
    ],
    ids=" ".join,
)
def test_words_that_cannot_work_are_refused(run, base, tmp_path, words):
    places = {
        "DATA": base / "data",
        "MODEL": base / "model",
        "OUT": tmp_path / "o",
        "OUT.csv": tmp_path / "o.csv",
    }
    code, _, err = run(*(places.get(word, word) for word in words))
    assert code == 2, err
    assert "Received: " in err
    assert list(tmp_path.iterdir()) == []


# --- archives, uploads, links and devices


@pytest.mark.parametrize("name", [name for name in hostile.ARCHIVES if name not in ("good", "tar")])
def test_of_a_bad_archive_nothing_is_unpacked(base, tmp_path, name):
    image = (base / "data" / "images" / "im0.tif").read_bytes()
    content = hostile.ARCHIVES[name](image, hostile.random.Random(0))
    if name in ("roi",):
        pytest.skip("a good archive of a bad file")
    with pytest.raises(UserError, match="archive"):
        io.unpack(memory.BytesIO(content), tmp_path / "in" / "out", name="a.zip")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_good_archive_is_unpacked(tmp_path):
    content = hostile.pack([("set/images/a.tif", b"a"), ("set/labels/ä 1.tif", b"b" * 9)])
    files = io.unpack(memory.BytesIO(content), tmp_path / "out", name="a.zip")
    assert [f.relative_to(tmp_path / "out").as_posix() for f in files] == [
        "set/images/a.tif",
        "set/labels/ä 1.tif",
    ]
    assert files[1].read_bytes() == b"b" * 9
    content = hostile.pack_tar("a.tif", hostile.tarfile.REGTYPE, size=5)
    assert io.unpack(memory.BytesIO(content), tmp_path / "tar", name="a.tar")[
        0
    ].read_bytes() == bytes(5)


def test_label_images_that_pack_well_are_no_bomb(tmp_path):
    """Label images of 1000 x 1000 px with 60 discs each: deflated a hundred and more to one."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:1000, :1000]
    label = np.zeros((1000, 1000), np.uint16)
    for number, (row, column) in enumerate(rng.uniform(20, 980, (60, 2)), start=1):
        label[(y - row) ** 2 + (x - column) ** 2 < 15**2] = number
    content = hostile.pack([(f"labels/{i}.raw", label.tobytes()) for i in range(70)])
    assert 70 * 2 * label.size > 100 * len(content)
    assert len(io.unpack(memory.BytesIO(content), tmp_path / "out", name="a.zip")) == 70


@pytest.mark.parametrize("name", ["../a.tif", "/tmp/a.tif", "", "a/b.tif", "a\\b.tif"])
def test_the_name_of_an_upload_is_no_path(name):
    from nbtools.widgets import picker

    for files in (({name: b"x"}, {}), ({"a.tif": b"x"}, {name: b"x"})):
        with pytest.raises(UserError, match="plain name"):
            picker.save_uploads(*files)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_devices_and_links_that_lead_away_are_left_out_at_once(run, base, tmp_path):
    shutil.copytree(base / "data", tmp_path / "d")
    inside = tmp_path / "d" / "images"
    os.mkfifo(inside / "pipe.tif")
    (inside / "device.tif").symlink_to("/dev/zero")
    (tmp_path / "secret.tif").write_bytes((inside / "im0.tif").read_bytes())
    (inside / "away.tif").symlink_to(tmp_path / "secret.tif")
    (inside / "near.tif").symlink_to("im0.tif")
    os.mkfifo(tmp_path / "d" / "groups.csv")
    started = time.monotonic()
    code, out, err = run("predict", "otsu", tmp_path / "d", "--out", tmp_path / "o", "--json")
    assert code == 0, err
    assert sorted(row["name"] for row in json.loads(out)["images"]) == ["im0", "im1", "near"]
    for name in ("pipe.tif", "device.tif"):
        for words in (
            ["predict", "otsu", inside / name, "--out", tmp_path / "o2"],
            ["measure", inside / name, "--out", tmp_path / "n.csv"],
        ):
            assert run(*words)[0] == 2
    for read in (io.read_image, io.read_csv, io.read_label, documents.read_document):
        with pytest.raises(UserError, match="pipe, device or socket"):
            read(inside / "pipe.tif")
    with pytest.raises(UserError, match="pipe, device or socket"):
        io.read_rois(tmp_path / "d" / "groups.csv", (8, 8))
    assert time.monotonic() - started < 20


def test_a_folder_of_a_data_set_that_is_a_link_away_is_refused(run, base, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "images").symlink_to(base / "data" / "images")
    code, _, err = run("check", tmp_path / "d")
    assert code == 2
    assert "The folders of a data set lie inside it" in err
    (tmp_path / "link").symlink_to(base / "data")  # the data set itself may well be one
    assert run("check", tmp_path / "link")[0] in (0, 1)


@pytest.mark.parametrize("name", list(hostile.IMAGES))
def test_images_that_lie_are_refused_from_their_header(tmp_path, name):
    started = time.monotonic()
    hostile.IMAGES[name](tmp_path)
    path = next(tmp_path.iterdir())
    if name == "note":
        assert io.read_image(path).shape == (8, 8)  # somebody else's note is left aside
    else:
        with pytest.raises(UserError):
            io.read_image(path)
    assert time.monotonic() - started < 5


def test_rois_of_a_zip_have_limits(tmp_path):
    (tmp_path / "a.zip").write_bytes(hostile.pack([("a.roi", bytes(2**28 + 1))]))
    with pytest.raises(UserError, match="can be unpacked"):
        io.read_rois(tmp_path / "a.zip", (8, 8))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("readme.txt", "no outline")
    with pytest.raises(UserError, match="holds ROIs of Fiji"):
        io.read_rois(tmp_path / "b.zip", (8, 8))
