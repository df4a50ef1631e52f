"""Stored documents: each is read in one way, within limits, and says which key is wrong."""

import io as memory
import json
import os
import pickle
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nbtools import documents
from nbtools.documents.kinds import KINDS
from nbtools.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
STORED = [
    path
    for name in ("model.json", "recipe.json", "scores.json")
    for folder in (ROOT / "data" / "weights", ROOT / "tests" / "golden" / "models")
    for path in sorted(folder.glob(f"*/{name}"))
]
MODEL = {"method": "unet", "settings": {"epochs": 1}, "ndim": 2}


def refuse(values: object, kind: str) -> str:
    with pytest.raises(UserError) as error:
        documents.require_document(values, kind, source=f"folder/{kind}")
    return str(error.value)


def write_npz(path: Path, members: dict[str, bytes], **about: object) -> Path:
    with zipfile.ZipFile(path, "w", **about) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def header(shape: tuple, descr: str = "<f4") -> bytes:
    stream = memory.BytesIO()
    about = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, about)
    return stream.getvalue()


@pytest.mark.parametrize("path", STORED, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_documents_of_older_versions_stay_readable(path):
    assert documents.read_document(path) == json.loads(path.read_text("utf-8"))


def test_documents_of_newer_versions_stay_readable():
    values = MODEL | {"invented_later": {"a": [1, 2]}, "versions": {"nbtools": "9.0"}}
    values["settings"] = {"epochs": 1, "also_new": [1, 2]}
    assert documents.require_document(values, "model.json", source="model.json") == values


def test_warnings_are_texts_or_objects():
    told = {"code": "dim", "image": "a", "message": "Dim.", "remedy": "Look."}
    for warnings in (["Dim."], [told], [told, "Dim."]):
        values = {"images": [{"name": "a", "warnings": warnings}], "warnings": warnings}
        assert documents.require_document(values, "result.json", source="result.json")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"method": 5}, "method"),
        ({"settings": None}, "settings"),
        ({"settings": {"epochs": "$(touch x)"}}, "settings.epochs"),
        ({"settings": {"filters": {"a": 1}}}, "settings.filters"),
        ({"ndim": 10**9}, "ndim"),
        ({"ndim": True}, "ndim"),
        ({"channels": 10**6}, "channels"),
        ({"spacing": [1e-12, 1]}, "spacing.0"),
        ({"spacing": [1.0]}, "spacing"),
        ({"spacing": [1.0, 1.0, 1.0]}, "spacing"),
        ({"tuned": {"threshold": "x"}}, "tuned.threshold"),
        ({"grey": {"noise": [None, None]}}, "grey.noise.0"),
        ({"normalisation": {"offset": [1.0], "factor": [0.0]}}, "normalisation.factor.0"),
        ({"unit": "parsec"}, "unit"),
    ],
)
def test_the_message_names_file_and_key(change, key):
    text = refuse(MODEL | change, "model.json")
    assert "folder/model.json" in text
    assert key in text


def test_the_rays_of_a_model_are_no_python_expression():
    """The stardist package evaluates the name of the rays, so that any other is code."""
    network = {"axes": "ZYXC", "n_rays": 96, "grid": [1, 1, 1]}
    hostile = {"name": "__import__('os').system('true') or Rays_Octo", "kwargs": {}}
    text = refuse(MODEL | {"network": network | {"rays_json": hostile}}, "model.json")
    assert "network.rays_json.name" in text
    usual = {"name": "Rays_GoldenSpiral", "kwargs": {"n": 96, "anisotropy": [2.0, 1.0, 1.0]}}
    about = MODEL | {"network": network | {"rays_json": usual}}
    assert documents.require_document(about, "model.json", source="model.json")


@pytest.mark.parametrize(
    "name", ["../victim", "/etc/passwd", "a/b", "a\\b", "", "..", "a\nb", "x" * 256]
)
def test_a_name_is_no_path(name):
    assert not documents.is_plain_name(name)
    assert "images.0.name" in refuse({"images": [{"name": name}]}, "result.json")


@pytest.mark.parametrize("name", ["embryo 1", "Zellkern_ß", "核.t01", "..a", "a..b", "-rf"])
def test_a_name_may_look_odd(name):
    assert documents.is_plain_name(name)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "5", '"x"', "{", '{"a": 1e999}', '{"a": NaN}', "[" * 100_000),
        *('{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a": ' + "9" * 40 + "}", "\0", "\x01\x02"),
        '{"a": ' + "[" * 60 + "]" * 60 + "}",
    ],
)
def test_damaged_json_is_refused_in_words(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"result\.json"):
        documents.read_document(path)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "axes = 5", "x =", "spacing_um = inf"])
def test_damaged_toml_is_refused_in_words(tmp_path, text):
    path = tmp_path / "dataset.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"dataset\.toml"):
        documents.read_document(path)


def test_text_that_is_no_text_and_too_much_of_it_are_refused(tmp_path):
    path = tmp_path / "result.json"
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(UserError, match="text in UTF-8"):
        documents.read_document(path)
    with open(path, "wb") as file:
        file.truncate(2**36)  # of zeros that take no room
    with pytest.raises(UserError, match="at most 64 MB"):
        documents.read_document(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "model.json")
    started = time.monotonic()
    with pytest.raises(UserError, match="plain files"):
        documents.read_document(tmp_path / "model.json")
    assert time.monotonic() - started < 1


def test_every_kind_refuses_what_is_no_document():
    for kind in KINDS:
        for value in (None, 5, "x", []):
            assert "Received" in refuse(value, kind)


# --- arrays

FILE = documents.ArrayFile("{name} must be whole.", "Copy it again.", finite=True)


class Evil:
    def __reduce__(self):
        return os.system, ("touch executed",)


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {"0:a/b": np.arange(6.0).reshape(2, 3), "1": np.array(5), "2": np.zeros((0, 3))}
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "a.npz", **arrays)
        found = FILE.read(tmp_path / "a.npz")
        assert list(found) == list(arrays)
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert list(FILE.read(tmp_path / "a.npz", names=["1"])) == ["1"]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.array([Evil()], object), "object"),
        (np.array(["a"]), "<U1"),
        (np.zeros(3, "M8[s]"), "datetime64"),
        (np.zeros(3, complex), "complex128"),
        (np.zeros(3, [("a", "f4")]), "'a'"),
        (np.array([np.nan]), "NaN"),
        (np.array([np.inf], np.float16), "infinity"),
    ],
)
def test_arrays_of_other_things_than_numbers_are_refused(tmp_path, monkeypatch, values, word):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", a=values)
    with pytest.raises(UserError, match=f"a.npz must be whole.*{word}"):
        FILE.read("a.npz")
    assert not Path("executed").exists()


def test_what_claims_more_than_it_holds_takes_no_memory(tmp_path):
    """4 TB claimed in a header, in the directory of the zip, and zeros deflated 1000 to 1."""
    path, started = tmp_path / "a.npz", time.monotonic()
    write_npz(path, {"a.npy": header((10**6, 10**6))})
    with pytest.raises(UserError, match="claims a shape"):
        FILE.read(path)
    content = bytearray(write_npz(path, {"a.npy": header((3,)) + bytes(12)}).read_bytes())
    at = content.rfind(b"PK\x01\x02") + 24  # size before compression
    content[at : at + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(UserError, match="claims more bytes"):
        FILE.read(path)
    zeros = header((2**24,)) + bytes(2**26)
    write_npz(path, {"a.npy": zeros}, compression=zipfile.ZIP_DEFLATED)
    few = documents.ArrayFile("{name}.", "Copy.", most=2**20)
    with pytest.raises(UserError, match="GB of arrays"):
        few.read(path)
    with pytest.raises(UserError, match="fit the network"):
        FILE.read(path, shapes=[(8,)])
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("at", "value", "words"), [(8, 1, "encrypted"), (10, 99, "unknown compression")]
)
def test_encrypted_and_unknown_members_are_refused(tmp_path, at, value, words):
    path = write_npz(tmp_path / "a.npz", {"a.npy": header((3,)) + bytes(12)})
    content = bytearray(path.read_bytes())
    content[content.rfind(b"PK\x01\x02") + at] = value
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        FILE.read(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", pickle.dumps([1]), b"\x93NUMPY\x01\x00" + bytes(50)]
)
def test_what_is_no_zip_is_refused(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npz must be whole"):
        FILE.read(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["hello.txt", "a", "../a.txt"])
def test_members_that_are_no_arrays_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="no array"):
        FILE.read(write_npz(tmp_path / "a.npz", {name: b"x"}))


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_off_is_refused(tmp_path, cut):
    np.savez_compressed(tmp_path / "a.npz", a=np.random.default_rng(0).normal(size=500))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: int(len(content) * cut)])
    with pytest.raises(UserError, match=r"a\.npz must be whole"):
        FILE.read(tmp_path / "a.npz")


# --- XML and notes


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r>&x;</r>',
        '<!DOCTYPE r SYSTEM "http://example.org/r.dtd"><r/>',
    ],
)
def test_xml_with_entities_is_refused(text):
    with pytest.raises(UserError, match="must not declare entities"):
        documents.parse_xml(text, "a.xml")
    assert documents.parse_xml("<r><a b='1'/></r>", "a.xml")[0].get("b") == "1"


@pytest.mark.parametrize("text", [None, "", "5", "[]", "{", '{"spacing": "x"}', '{"shape": [0]}'])
def test_somebody_elses_note_is_left_aside(text):
    assert documents.find_note(text) == {}
