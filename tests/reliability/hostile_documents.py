"""Attacks by files, names and words of strangers, and what came of each.

python tests/reliability/hostile_documents.py           300 documents, 60 archives, 40 odd names and
                                                        100 command lines, as a table of counts
python tests/reliability/hostile_documents.py 60 20 20 30 --seed 3

An attack ends well where the work is done, or refused with rule, received and remedy. It fails
where a traceback appears, where it takes longer than LIMIT (seconds of the processor, so that a
busy machine does not count; twelve times as many by the clock end it), or where a file appears or
changes outside of the attack's own folder.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io as memory
import itertools
import json
import os
import random
import re
import shutil
import signal
import stat
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 10  # seconds
SIZE = 48
HOSTILE = (None, 5, -1, 1e308, 2**63, "x", "../../x", "$(touch PWN)", "", [], [1], {}, [None], True)
RAW = ("", "null", "[]", "5", "{}", '"x"', "{", "[" * 100_000, '{"a": 1e999}', '"\\ud800"', "\0")
TOML = (
    *("axes = 5", 'axes = "QQ"', 'axes = ["Y", "X"]', "axes = ''", 'axes = "YXYX"', "x ="),
    *("spacing_um = 'a'", "spacing_um = [-1, 1]", "spacing_um = [nan, 1]", "spacing_um = []"),
    *("spacing_um = [inf, 1]", "spacing_um = [0, 0]", "spacing_um = [['a']]", "spacing = true"),
    *("spacing = [1e-300, 1]", "unit = 5", "unit = 'foo'\nspacing = [1, 1]", "channels = 5"),
    *("channels = [1, {}]", "[[[", "a = 1\na = 2", "\0", "a = " + "[" * 10_000, "spacing = 1e999"),
)
TABLES = ("", "a,b\n1,2\n", '"', "name\n", "name,name\na,b\n", "\ufeff", "=1,2\n", "\0", "a;b\n1\n")
NAMES = (
    *(
        "a b",
        " a",
        "a ",
        "ä",
        "ä",
        "核",
        "😀",
        "-rf",
        "--out",
        "a'b",
        'a"b',
        "a`b`",
        "$(touch PWN)",
    ),
    *(
        "a;touch PWN",
        "a&b",
        "a|b",
        "a>b",
        "a\nb",
        "a\tb",
        "a\\b",
        "a%2e%2e",
        "..a",
        "a..",
        "...",
        "~",
    ),
    *(
        "CON",
        "nul",
        "a:b",
        "a*b",
        "a?b",
        "[a]",
        "{a}",
        "<b>a",
        "=1+1",
        "+1",
        "@a",
        "#a",
        "a" * 240,
    ),
    *("result", "summary", "images", "a.tif", "a.ome", "\u202ea", "a\u200bb", "0", "null"),
)
WORDS = (
    "",
    "-1",
    "0",
    "x",
    "²",
    "nan",
    "inf",
    "1e300",
    "1e-300",
    "9" * 40,
    "1,2,3,4",
    "---5",
    "../x",
)
OPTIONS = {
    "predict": "--tile --channel --time --axes --spacing --min-size --diameter --seed --unit",
    "measure": "--min-size --spacing --channel --time --axes --seed",
    "evaluate": "--gate-px --gate-um --spacing --range --seed --task --group-by",
    "simulate": "--count --seed --set",
    "split": "--val --test --seed --group-by",
    "check": "--spacing --axes --seed",
}


@dataclass(frozen=True)
class Attack:
    """One attack.

    Parameters
    ----------
    group : row of the table.
    name : of the attack, for those that fail.
    run : does it, in a folder of its own; returns the exit code of a command.
    """

    group: str
    name: str
    run: Callable[[Path], int | None]


class Hang(BaseException):
    """An attack took longer than LIMIT."""


# --- what is attacked


def build(place: Path) -> Path:
    """Write a data set, results with scores and maps, a model and a comparison; no network runs."""
    rng, label = np.random.default_rng(0), np.zeros((SIZE, SIZE), np.uint16)
    for number, (y, x) in enumerate(itertools.product((4, 20, 34), repeat=2), start=1):
        label[y : y + 9, x : x + 9] = number
    for name in ("im0", "im1"):
        pixels = rng.normal(100, 8, label.shape) + 120 * (label > 0)
        write(place / "data" / "images" / f"{name}.tif", pixels.astype(np.uint16))
        write(place / "data" / "labels" / f"{name}.tif", label)
    data, model = place / "data", ROOT / "data" / "weights" / "nuclei2d_small"
    call("predict", "otsu", data, "--out", place / "result")
    call("evaluate", place / "result", data, "--save")
    call("measure", place / "result", "--out", place / "result" / "nuclei.csv")
    call("compare", place / "result", data / "labels", "--truth", data, "--out", place / "cmp")
    names = ("model.json", "recipe.json", "history.csv", "scores.json", "weights.npz")
    (place / "model").mkdir()
    for name in names:
        shutil.copyfile(model / name, place / "model" / name)
    write_raw(place, json.loads((model / "model.json").read_text("utf-8")), label=label)
    return place


def write_raw(place: Path, about: dict, *, label: np.ndarray) -> None:
    """A result that can be decoded, with maps drawn from its labels."""
    maps = np.stack([(label > 0) * 0.9, (label > 0) * 0.5], axis=-1).astype(np.float32)
    write(place / "raw" / "im0.tif", label)
    (place / "raw" / "raw").mkdir()
    tifffile.imwrite(place / "raw" / "raw" / "im0.maps.tif", maps, metadata={"axes": "YXC"})
    domain = {k: about[k] for k in ("ndim", "channels", "spacing", "unit", "classes", "grey")}
    document = {
        "method": about["method"],
        "model": "nuclei2d_small",
        "settings": about["settings"],
        "decoding": about["tuned"],
        "limits": {"threshold": [0.0, 1.0]},
        "domain": domain,
        "source": str(place / "data"),
        "input": {"axes": None, "channel": None, "time": None, "spacing": None, "unit": "um"},
        "images": [{"name": "im0", "nuclei": 9, "seconds": 0.1, "axes": "YX", "warnings": []}],
        "failed": [],
        "warnings": [],
    }
    (place / "raw" / "result.json").write_text(json.dumps(document))


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels)


def call(*words: object) -> int:
    """Exit code of a command line, run in this process."""
    from nbtools import cli

    return cli.main([str(word) for word in words])


# --- documents


def list_documents(base: Path, rng: random.Random, *, network: bool = False) -> Iterator[Attack]:
    """Attacks by stored documents, without end: each time another one with another fault.

    Parameters
    ----------
    base : as `build` wrote it.
    rng : chooses.
    network : models predict, too, which takes seconds; else they are reported alone.
    """
    kinds = [
        ("result", "result.json", (report,)),
        ("result", "scores/scores.json", (report,)),
        ("raw", "result.json", (decode,)),
        ("model", "model.json", (report, *((predict,) if network else ()))),
        ("model", "recipe.json", (report, rerun)),
        ("cmp", "compare.json", (report,)),
    ]
    makers = [edit_json] * 5 + [edit_toml, edit_table, edit_npz, edit_image]
    while True:
        make = rng.choice(makers)
        if make is edit_json:
            folder, file, verbs = rng.choice(kinds)
            yield edit_json(base / folder, file, verb=rng.choice(verbs), rng=rng)
        else:
            yield make(base, rng)


def edit_json(source: Path, file: str, *, verb: Callable, rng: random.Random) -> Attack:
    values = json.loads((source / file).read_text("utf-8"))
    place = rng.choice(list(list_places(values)))
    change = rng.choice((*HOSTILE, "DELETED"))
    text = json.dumps(put(values, place, change))
    if rng.random() < 0.15:
        place, change, text = "whole", "", rng.choice(RAW)
    name = f"{file} {place} = {str(change or text)[:20]!r}"

    def run(folder: Path) -> int:
        shutil.copytree(source, folder / "stranger")
        (folder / "stranger" / file).write_text(text, "utf-8")
        return verb(folder)

    return Attack(f"documents: {verb.__name__} {Path(file).name}", name, run)


def report(folder: Path) -> int:
    return call("report", folder / "stranger")


def decode(folder: Path) -> int:
    return call("decode", folder / "stranger", "--out", folder / "out")


def rerun(folder: Path) -> int:
    return call("rerun", folder / "stranger", "--out", folder / "out")


def predict(folder: Path) -> int:
    image = folder.parent.parent / "base" / "data" / "images" / "im0.tif"
    return call("predict", folder / "stranger", image, "--out", folder / "out")


def list_places(values: object, before: tuple = ()) -> Iterator[tuple]:
    """Places of values inside each other; of lists, those of the first two."""
    inner = values.items() if isinstance(values, dict) else ()
    inner = enumerate(values[:2]) if isinstance(values, list) else inner
    for key, value in inner:
        yield (*before, key)
        yield from list_places(value, (*before, key))


def put(values: object, place: tuple, change: object) -> object:
    values = copy.deepcopy(values)
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    if change == "DELETED":
        del inner[place[-1]]
    else:
        inner[place[-1]] = change
    return values


def edit_toml(base: Path, rng: random.Random) -> Attack:
    text, verb = rng.choice(TOML), rng.choice(("check", "predict"))

    def run(folder: Path) -> int:
        shutil.copytree(base / "data", folder / "stranger")
        (folder / "stranger" / "dataset.toml").write_text(text)
        if verb == "check":
            return call("check", folder / "stranger")
        return call("predict", "otsu", folder / "stranger", "--out", folder / "out")

    return Attack("documents: dataset.toml", f"{verb}: {text[:40]!r}", run)


def edit_table(base: Path, rng: random.Random) -> Attack:
    source, file, words = rng.choice(
        [
            ("model", "history.csv", ["report"]),
            ("result", "nuclei.csv", ["report"]),
            ("result", "summary.csv", ["report"]),
            ("result", "objects.csv", ["measure", "--out", "out.csv"]),
            ("data", "groups.csv", ["check"]),
            ("data", "classes/im0.csv", ["check"]),
        ]
    )
    text = rng.choice(TABLES)

    def run(folder: Path) -> int:
        shutil.copytree(base / source, folder / "stranger")
        path = folder / "stranger" / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        more = [str(folder / word) if word == "out.csv" else word for word in words[1:]]
        return call(words[0], folder / "stranger", *more)

    return Attack("documents: tables", f"{file}: {text[:20]!r}", run)


def edit_npz(base: Path, rng: random.Random) -> Attack:
    from nbtools import documents

    content = bytearray((base / "model" / "weights.npz").read_bytes())
    name, spoil = rng.choice(list(SPOILED.items()))
    content = spoil(content, rng)

    def run(folder: Path) -> None:
        (folder / "weights.npz").write_bytes(content)
        documents.WEIGHTS.read(folder / "weights.npz")

    return Attack("documents: weights.npz", name, run)


def claim(shape: tuple, descr: str) -> bytes:
    stream, npz = memory.BytesIO(), memory.BytesIO()
    about = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, about)
    with zipfile.ZipFile(npz, "w") as archive:
        archive.writestr("0000:a.npy", stream.getvalue())
    return npz.getvalue()


def set_byte(content: bytearray, at: int, value: int) -> bytes:
    content[content.rfind(b"PK\x01\x02") + at] = value
    return bytes(content)


def save(**arrays: np.ndarray) -> bytes:
    stream = memory.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


class Evil:
    """A pickle that would write a file."""

    def __reduce__(self):
        return exec, ("open('PWN', 'w')",)


SPOILED: dict[str, Callable[[bytearray, random.Random], bytes]] = {
    "cut": lambda content, rng: bytes(content[: rng.randrange(len(content))]),
    "bytes": lambda content, rng: bytes(rng.randbytes(40) + content[40:]),
    "encrypted": lambda content, rng: set_byte(content, 8, 1),
    "compression": lambda content, rng: set_byte(content, 10, rng.randrange(13, 99)),
    "4 TB": lambda content, rng: claim((10**6, 10**6), "<f4"),
    "negative": lambda content, rng: claim((-1, 8), "<f4"),
    "objects": lambda content, rng: save(a=np.array([Evil()], object)),
    "texts": lambda content, rng: save(a=np.array(["a", "b"])),
    "dates": lambda content, rng: save(a=np.zeros(3, "M8[s]")),
    "complex": lambda content, rng: save(a=np.zeros(3, complex)),
    "structs": lambda content, rng: save(a=np.zeros(3, [("a", "f4")])),
    "NaN": lambda content, rng: save(a=np.full(3, np.nan)),
    "text": lambda content, rng: pack([("hello.txt", b"x")]),
    "empty": lambda content, rng: b"",
}


def edit_image(base: Path, rng: random.Random) -> Attack:
    name, make = rng.choice(list(IMAGES.items()))

    def run(folder: Path) -> int:
        place = folder / "stranger" / "images"
        place.mkdir(parents=True)
        make(place)
        return call("predict", "otsu", place, "--out", folder / "out")

    return Attack("documents: images", name, run)


OME = (
    '<?xml version="1.0"?>{dtd}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="8" '
    'SizeY="8" SizeZ="{z}" SizeC="1" SizeT="1"><TiffData>{file}</TiffData></Pixels></Image></OME>'
)
LAUGHS = '<!DOCTYPE r [<!ENTITY a "b">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{(f"&{chr(97 + i)};") * 10}">' for i in range(9)
)


def write_ome(place: Path, *, dtd: str = "", z: int = 1, file: str = "") -> None:
    text = OME.format(dtd=dtd, z=z, file=file)
    about = {"description": text, "metadata": None}
    tifffile.imwrite(place / "a.ome.tif", np.zeros((8, 8), np.uint16), **about)


def write_large_tiff(place: Path) -> None:
    """One strip of 8 x 8 pixels, in a header of 2^20 x 2^20."""
    tifffile.imwrite(place / "a.tif", np.zeros((8, 8), np.uint16))
    with tifffile.TiffFile(place / "a.tif", mode="r+b") as file:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages[0].tags[tag].overwrite(2**20, dtype="I")


def write_large_png(place: Path) -> None:
    import struct
    import zlib

    head = b"IHDR" + struct.pack(">IIBBBBB", 2**30, 2**30, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    (place / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)


IMAGES: dict[str, Callable[[Path], object]] = {
    "entities": lambda place: write_ome(place, dtd=LAUGHS + "]>"),
    "another file": lambda place: write_ome(
        place, file='<UUID FileName="../../../../etc/passwd">urn:uuid:1</UUID>'
    ),
    "planes": lambda place: write_ome(place, z=10**9),
    "TIFF of 2 TB": write_large_tiff,
    "PNG of 1 EB": write_large_png,
    "note": lambda place: tifffile.imwrite(
        place / "a.tif", np.ones((8, 8)), metadata={"nbtools": {"shape": "x", "axes": [1]}}
    ),
    "empty": lambda place: (place / "a.tif").write_bytes(b""),
    "TIFF header alone": lambda place: (place / "a.tif").write_bytes(b"II*\0\x08\0\0\0"),
    "link to a device": lambda place: (place / "a.tif").symlink_to("/dev/zero"),
    "link outside": lambda place: (place / "a.tif").symlink_to("/etc/passwd"),
    "link to itself": lambda place: (place / "a.tif").symlink_to("a.tif"),
}


# --- archives


def list_archives(base: Path, rng: random.Random) -> Iterator[Attack]:
    """Attacks by archives that are uploaded, fetched, or read as outlines."""
    image = (base / "data" / "images" / "im0.tif").read_bytes()
    while True:
        name, make = rng.choice(list(ARCHIVES.items()))
        yield rng.choice((upload, unpack, outlines))(name, make(image, rng))


def upload(name: str, content: bytes) -> Attack:
    def run(folder: Path) -> None:
        from nbtools.widgets import picker

        tempfile.tempdir = str(folder)
        try:
            picker.save_uploads({"a.zip": content}, {})
        finally:
            tempfile.tempdir = None

    return Attack("archives: uploaded", name, run)


def unpack(name: str, content: bytes) -> Attack:
    def run(folder: Path) -> None:
        from nbtools import io

        (folder / "a.zip").write_bytes(content)
        io.unpack(folder / "a.zip", folder / "out")

    return Attack("archives: unpacked", name, run)


def outlines(name: str, content: bytes) -> Attack:
    def run(folder: Path) -> None:
        from nbtools import io

        (folder / "a.zip").write_bytes(content)
        io.read_rois(folder / "a.zip", (SIZE, SIZE))

    return Attack("archives: outlines", name, run)


def pack(members: list[tuple], *, kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = memory.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name) if isinstance(name, str) else name
            info.compress_type = kind
            archive.writestr(info, content)
    return stream.getvalue()


def pack_tar(name: str, kind: bytes, *, mode: str = "w", size: int = 0) -> bytes:
    stream = memory.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, "../../victim", size
        archive.addfile(info, memory.BytesIO(bytes(size)))
    return stream.getvalue()


def make_link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.create_system = (stat.S_IFLNK | 0o777) << 16, 3
    return info


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


ARCHIVES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "good": lambda image, rng: pack([("images/a.tif", image)]),
    "..": lambda image, rng: pack([("../" * rng.randrange(1, 9) + "victim", image)]),
    ".. inside": lambda image, rng: pack([("images/../../../victim", image)]),
    "backslashes": lambda image, rng: pack([("..\\..\\victim", image)]),
    "absolute": lambda image, rng: pack([("/tmp/nbtools_victim", image)]),
    "drive": lambda image, rng: pack([("C:/victim", image)]),
    "link": lambda image, rng: pack([(make_link("images/a"), b"/etc"), ("images/a/b", image)]),
    "bomb": lambda image, rng: pack([("images/a.tif", bytes(2**28))]),
    "bombs": lambda image, rng: pack([(f"images/{i}.roi", bytes(2**24)) for i in range(17)]),
    "long name": lambda image, rng: pack([("images/" + "a" * 300 + ".tif", image)]),
    "control": lambda image, rng: pack([("images/a\nb.tif", image)]),
    "file and folder": lambda image, rng: pack([("images", b"x"), ("images/a.tif", image)]),
    "twice": lambda image, rng: pack([("a.tif", image), ("./a.tif", image)]),
    "encrypted": lambda image, rng: set_byte(bytearray(pack([("a.roi", image)])), 8, 1),
    "compression": lambda image, rng: set_byte(bytearray(pack([("a.roi", image)])), 10, 77),
    "cut": lambda image, rng: cut(pack([("images/a.tif", image)]), rng),
    "garbage": lambda image, rng: b"PK\x03\x04" + rng.randbytes(99),
    "roi": lambda image, rng: pack([("a.roi", b"Iout" + rng.randbytes(200))]),
    "tar": lambda image, rng: pack_tar("a.tif", tarfile.REGTYPE, size=99),
    "tar ..": lambda image, rng: pack_tar("../victim", tarfile.REGTYPE, size=99),
    "tar link": lambda image, rng: pack_tar("a.tif", tarfile.SYMTYPE),
    "tar hard link": lambda image, rng: pack_tar("a.tif", tarfile.LNKTYPE),
    "tar device": lambda image, rng: pack_tar("a.tif", tarfile.CHRTYPE),
    "tar pipe": lambda image, rng: pack_tar("a.tif", tarfile.FIFOTYPE),
    "tar bomb": lambda image, rng: pack_tar("a", tarfile.REGTYPE, mode="w:gz", size=2**28),
}


# --- names and words


def list_names(base: Path, rng: random.Random) -> Iterator[Attack]:
    """Attacks by odd names of images: predicted, measured, checked and uploaded."""
    for name in itertools.cycle(rng.sample(NAMES, len(NAMES))):
        yield Attack("odd names", repr(name), lambda folder, n=name: use_name(base, folder, n))


def use_name(base: Path, folder: Path, name: str) -> int:
    for kind in ("images", "labels"):
        (folder / "odd" / kind).mkdir(parents=True)
        shutil.copyfile(base / "data" / kind / "im0.tif", folder / "odd" / kind / f"{name}.tif")
    code = call("predict", "otsu", folder / "odd", "--out", folder / "out")
    if code == 0:
        code = call("evaluate", folder / "out", folder / "odd", "--save")
        code = code or call("measure", folder / "out", "--out", folder / "nuclei.csv")
        code = code or call("report", folder / "out")
    return code or call("check", folder / "odd")


def list_commands(base: Path, rng: random.Random) -> Iterator[Attack]:
    """Attacks by words of the command line that no person would mean."""
    data, labels = base / "data", base / "data" / "labels"
    usual = {
        "predict": ("otsu", data, "--out", "OUT"),
        "measure": (labels, "--out", "OUT.csv"),
        "evaluate": (labels, data),
        "simulate": ("nuclei2d", "--out", "OUT", "--count", "1"),
        "split": (data, "--out", "OUT"),
        "check": (data,),
    }
    while True:
        verb = rng.choice(list(OPTIONS))
        option, word = rng.choice(OPTIONS[verb].split()), rng.choice(WORDS)

        def run(folder: Path, verb: str = verb, more: tuple = (option, word)) -> int:
            places = {"OUT": folder / "out", "OUT.csv": folder / "out.csv"}
            words = [places.get(w, w) if isinstance(w, str) else w for w in usual[verb]]
            return call(verb, *words, *more)

        yield Attack("command lines", f"{verb} {option} {word[:20]!r}", run)


# --- what came of it


def judge(attack: Attack, place: Path) -> tuple[str, str]:
    """Run an attack in a new folder.

    Returns
    -------
    "done", "refused", "traceback", "hang" or "outside"; and what stood on standard error.
    """
    from nbtools.errors import UserError

    place.mkdir(parents=True)
    before, told = snapshot(place), memory.StringIO()
    began = time.process_time()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told), limit(12 * LIMIT):
        try:
            code = attack.run(place) or 0
        except UserError:
            code = 2
        except Hang:
            code = "hang"
        except BaseException:
            traceback.print_exc(file=told)
            code = 70
    if snapshot(place) != before or (Path.cwd() / "PWN").exists():
        return "outside", told.getvalue()
    if code == "hang" or time.process_time() - began > LIMIT:
        return "hang", told.getvalue()
    if code not in (0, 1, 2) or "Traceback" in told.getvalue():
        return "traceback", told.getvalue()
    return ("refused" if code == 2 else "done"), told.getvalue()


def snapshot(place: Path) -> dict[str, tuple]:
    """Size and time of each file of the sandbox outside of the attack's folder."""
    sandbox = place.parents[1]
    files = (path for path in sandbox.rglob("*") if place not in path.parents and path != place)
    found = ((path, path.lstat()) for path in files if not path.is_dir())
    return {str(path): (about.st_size, about.st_mtime_ns) for path, about in found}


@contextlib.contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Interrupt after so many seconds, where the system can."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def interrupt(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def choose(base: Path, *, counts: tuple[int, ...], seed: int, network: bool) -> list[Attack]:
    """So many documents, archives, odd names and command lines, the same for the same seed."""
    rng = random.Random(seed)
    sources = (
        list_documents(base, rng, network=network),
        list_archives(base, rng),
        list_names(base, rng),
        list_commands(base, rng),
    )
    return [a for source, count in zip(sources, counts) for a in itertools.islice(source, count)]


def attack_all(
    sandbox: Path, *, counts: tuple[int, ...], seed: int = 0, network: bool = False
) -> tuple[dict[str, Counter], list[str]]:
    """Run attacks in a sandbox; counts by group, and a text for each that failed."""
    with contextlib.redirect_stdout(memory.StringIO()), contextlib.redirect_stderr(sys.stdout):
        base = build(sandbox / "base")
    (sandbox / "victim").write_text("precious")
    table: dict[str, Counter] = {}
    failures = []
    chosen = choose(base, counts=counts, seed=seed, network=network)
    for number, attack in enumerate(chosen):
        place = sandbox / "attacks" / f"{number:04d}"
        outcome, told = judge(attack, place)
        table.setdefault(attack.group, Counter())[outcome] += 1
        if outcome not in ("done", "refused"):
            failures.append(f"{outcome}: {attack.group}, {attack.name}\n{told[-1500:]}")
        shutil.rmtree(place, ignore_errors=True)
    return table, failures


def format_table(table: dict[str, Counter]) -> str:
    """The counts as a table in Markdown; all stored documents in one row."""
    rows: dict[str, Counter] = {}
    for group, found in table.items():
        name = re.sub(r"^documents: \w+ [\w.]*json$", "documents: JSON", group)
        rows[name] = rows.get(name, Counter()) + found
    columns = ("done", "refused", "traceback", "hang", "outside")
    lines = [f"| attacks | number | {' | '.join(columns)} |", "| --- |" + " --: |" * 6]
    for name, found in (rows | {"all": sum(rows.values(), Counter())}).items():
        cells = (found.total(), *(found[c] for c in columns))
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table of counts, and what failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counts", type=int, nargs="*", default=[300, 60, 40, 100])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ.pop("NBTOOLS_DATA", None)  # else a recipe finds its images, and is trained for hours
    with tempfile.TemporaryDirectory() as folder:
        table, failures = attack_all(
            Path(folder).resolve(), counts=tuple(args.counts), seed=args.seed, network=True
        )
    print(format_table(table))
    print(*failures, sep="\n\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
