"""Public sets are fetched whole, resumed and checked, and nothing of an archive lands outside its
folder; cards say what is known.
"""

import hashlib
import http.server
import io as streams
import tarfile
import threading
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from nbtools import data, io
from nbtools.data import DataSet, Sample, Source
from nbtools.errors import UserError
from nbtools.image import Image


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `content` with ranges; breaks off half-way while `breaks` is above 0."""

    def do_GET(self):
        server = self.server
        content = server.content.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        server.asked.append(start)
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if server.breaks:
            server.breaks -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.asked, server.breaks = {}, [], 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def zip_of(**files):
    stream = streams.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def source_at(server, sha256=None, path="/set.zip"):
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return Source(
        "tiny",
        "A tiny set",
        "segment",
        2,
        "http://127.0.0.1/page",
        (url,),
        sha256=((url, sha256),) if sha256 else (),
    )


def test_a_set_is_fetched_checked_and_unpacked_once(server, tmp_path):
    pytest.importorskip("pooch")
    server.content["/set.zip"] = content = zip_of(**{"images/a.txt": "one", "labels/a.txt": "two"})
    source = source_at(server, hashlib.sha256(content).hexdigest())
    for _ in range(2):
        folder = data.fetch(source, tmp_path)
    assert (folder / "labels" / "a.txt").read_text() == "two"
    assert server.asked == [0]


def test_a_download_that_broke_off_goes_on_where_it_stopped(server, tmp_path):
    pytest.importorskip("pooch")
    server.content["/set.zip"] = content = zip_of(a=np.random.default_rng(0).bytes(50_000))
    server.breaks = 1
    source = source_at(server, hashlib.sha256(content).hexdigest())
    with pytest.raises(UserError, match="goes on where it stopped"):
        data.fetch(source, tmp_path)
    assert not (tmp_path / "tiny").exists()
    assert (data.fetch(source, tmp_path) / "a").stat().st_size == 50_000
    assert server.asked == [0, len(content) // 2]


def test_an_md5_serves_where_no_sha256_is_known(server, tmp_path):
    pytest.importorskip("pooch")
    server.content["/set.zip"] = content = zip_of(a="x")
    source = source_at(server)
    right, wrong = (
        replace(source, md5=((source.files[0], value),))
        for value in (hashlib.md5(content).hexdigest(), "0" * 32)
    )
    with pytest.raises(UserError, match="known md5"):
        data.fetch(wrong, tmp_path)
    assert (data.fetch(right, tmp_path) / "a").read_text() == "x"


def test_a_wrong_checksum_and_a_missing_file_are_refused(server, tmp_path):
    pytest.importorskip("pooch")
    server.content["/set.zip"] = zip_of(a="x")
    with pytest.raises(UserError, match="sha256"):
        data.fetch(source_at(server, "0" * 64), tmp_path)
    with pytest.raises(UserError, match="reachable at its address"):
        data.fetch(source_at(server, path="/gone.zip"), tmp_path)
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil"])
def test_no_zip_reaches_outside(tmp_path, name):
    (tmp_path / "a.zip").write_bytes(zip_of(**{"good": "x", name: "y"}))
    with pytest.raises(UserError, match="stay inside"):
        io.unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip"]


@pytest.mark.parametrize("kind", ["up", "link"])
def test_no_tar_reaches_outside(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../evil" if kind == "up" else "link")
        member.type, member.linkname = (
            (tarfile.REGTYPE, "") if kind == "up" else (tarfile.SYMTYPE, "/etc")
        )
        archive.addfile(member)
    with pytest.raises(UserError, match="Files of an archive"):
        io.unpack(tmp_path / "a.tar.gz", tmp_path / "out")


def test_a_broken_archive_is_one_message(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"nothing")
    with pytest.raises(UserError, match="must be whole"):
        io.unpack(tmp_path / "a.zip", tmp_path / "out")


def test_the_registry_is_complete_and_its_checksums_belong_to_its_files():
    known = data.sources()
    assert len(known) >= 20  # rows of the review's Table 1, and the sets of the BBBC it names
    assert all(
        s.title
        and s.page.startswith("http")
        and s.dims in (2, 3)
        and s.task in ("instances", "classification")
        for s in known.values()
    )
    for source in known.values():
        assert set(source.hashes) <= set(source.files), source.name
        assert all(
            len(value.split(":")[1]) == {"sha256": 64, "md5": 32}[value.split(":")[0]]
            for value in source.hashes.values()
        )
    assert sum(bool(s.files) for s in known.values()) >= 12
    assert sum(bool(s.hashes) for s in known.values()) >= 7
    with pytest.raises(UserError, match="by hand"):
        data.fetch("monuseg", "nowhere")
    with pytest.raises(UserError, match="one of the registry"):
        data.fetch("atlantis", "nowhere")


def test_a_deposit_has_card_checksums_and_open_questions(tmp_path):
    pixels = np.arange(900, dtype=np.uint16).reshape(30, 30)
    samples = [
        Sample(
            f"a{i}",
            Image(pixels + i, "YX", (0.5, 0.5)),
            Image((pixels > 800).astype(np.uint16), "YX"),
        )
        for i in range(2)
    ]
    dataset = DataSet.of(samples, name="tiny")
    dataset.meta.update(title="Two squares", licence="CC0-1.0")
    missing = data.write_deposit(dataset, tmp_path / "out")
    assert "labelled_by" in missing
    assert "licence" not in missing
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    for part in ("# Two squares", "CC0-1.0", "| nuclei | 2 |", "0.5 x 0.5 um", "to be filled in"):
        assert part in card
    for line in (tmp_path / "out" / "checksums.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
    listed = (tmp_path / "out" / "file_list.tsv").read_text("utf-8").splitlines()
    assert listed[0].split("\t") == ["Files", "Kind", "Source image"]
    assert "labels/a1.tif\tlabels\timages/a1.tif" in listed
    assert all((tmp_path / "out" / line.split("\t")[0]).is_file() for line in listed[1:])
    assert len(DataSet.open(tmp_path / "out")) == 2
    assert io.read_image(tmp_path / "out" / "images" / "a0.tif").spacing_um == (0.5, 0.5)


def png_of(pixels):
    stream = streams.BytesIO()
    Picture.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def tiff_of(pixels):
    stream = streams.BytesIO()
    tifffile.imwrite(stream, pixels, photometric="minisblack")
    return stream.getvalue()


GREY = np.arange(400, dtype=np.uint16).reshape(20, 20)
TWO = np.zeros((20, 20), np.uint8)
TWO[2:6, 2:6], TWO[10:15, 8:12] = 3, 3  # apart, of one value
COLOUR = np.stack([TWO * 40] * 3 + [np.full_like(TWO, 255)], axis=-1)
FIELD = "mcf-z-stacks-03212011_a01_s1"
STAND_INS = {  # files of each set as its authors lay them out, the names of its images, a group
    "bbbc006": (
        {
            f"BBBC006_v1_images_z_16/{FIELD}_w1ab12.tif": tiff_of(GREY),
            f"BBBC006_v1_images_z_16/{FIELD}_w2cd34.tif": tiff_of(GREY + 1),
            f"BBBC006_v1_labels/{FIELD}.png": png_of((TWO > 0) * np.uint16(7)),
        },
        {FIELD: 1},
        "a01",
    ),
    "bbbc039": (
        {"images/A01_s1.tif": tiff_of(GREY), "masks/A01_s1.png": png_of(COLOUR)},
        {"A01_s1": 2},
        None,
    ),
    "s-bsst265": (
        {
            "dataset/rawimages/Tissue_1.tif": tiff_of(GREY),
            "dataset/groundtruth/Tissue_1.tif": tiff_of(TWO.astype(np.uint16)),
            "dataset/rawimages/Tissue_2.tif": tiff_of(GREY),
        },
        {"Tissue_1": 1},
        None,
    ),
    "tnbc": (
        {
            "TNBC/Slide_07/07_1.png": png_of(np.repeat(TWO[..., None] * 9, 3, axis=-1)),
            "TNBC/GT_07/07_1.png": png_of((TWO > 0) * np.uint8(255)),
        },
        {"07_1": 2},
        "07",
    ),
    "bbbc038": (
        {
            "ab/images/ab.png": png_of(TWO * 9),
            "ab/masks/m1.png": png_of((np.arange(20) < 8)[:, None] * (TWO > 0) * np.uint8(255)),
            "ab/masks/m2.png": png_of((np.arange(20) > 8)[:, None] * (TWO > 0) * np.uint8(255)),
        },
        {"ab": 2},
        None,
    ),
}


@pytest.mark.parametrize("name", STAND_INS)
def test_a_fetched_set_is_arranged_in_our_layout(server, tmp_path, name):
    files, expected, group = STAND_INS[name]
    server.content["/set.zip"] = zip_of(**files)
    source = replace(data.sources()[name], files=source_at(server).files, sha256=(), md5=())
    place = data.fetch(source, tmp_path)
    assert data.arrange(source, place, folder=tmp_path / "ours") == len(expected)
    dataset = DataSet.open(tmp_path / "ours")
    assert {s.name: len(np.unique(s.label.pixels)) - 1 for s in dataset} == expected
    if name.startswith("bbbc006"):
        assert np.array_equal(dataset[0].image.pixels, GREY)
    assert dataset.entries[0].columns.get("group") == group
    assert dataset.meta["title"] == source.title
    assert dataset.meta.get("licence", "") == source.licence


def test_a_set_that_lies_otherwise_is_left_as_it_is(tmp_path):
    (tmp_path / "tnbc").mkdir()
    with pytest.raises(UserError, match="Slide_"):
        data.arrange(data.sources()["tnbc"], tmp_path / "tnbc", folder=tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_every_entry_has_terms_and_a_checksum_or_says_why_not():
    for source in data.sources().values():
        assert source.terms == (source.licence or source.terms)
        assert len(source.terms) > 5 or source.licence
        kinds = {value.partition(":")[0] for value in source.hashes.values()}
        known = bool(source.files) and set(source.files) <= set(source.hashes)
        assert (source.checksum in {"sha256", "md5"}) == known
        assert known or source.checksum.startswith("none: ")
        assert kinds <= {"sha256", "md5"}
