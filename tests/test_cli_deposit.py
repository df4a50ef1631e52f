"""Twin of nbtools deposit, data.rembi and data.ro_crate."""

import csv
import hashlib
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from nbtools import cli, data
from nbtools.data import idr, rembi
from nbtools.data.answers import save_answers
from nbtools.data.ro_crate import NAME, check_crate
from nbtools.errors import UserError
from nbtools.export.deposit import judge_sharing
from nbtools.io import read_image

SAMPLES = data.packaged_path("samples", "simulated2d")
ANSWERS = {
    "title": "Simulated nuclei",
    "description": "Nuclei from a simulation.",
    "authors": ["The nbtools authors"],
    "licence": "CC0-1.0",
    "citation": "none",
    "contact": "the authors",
    "organism": "none: simulated",
    "specimen": "none: simulated",
    "preparation": "none: simulated",
    "modality": "simulated fluorescence",
    "instrument": "simulated",
    "labelled_by": "the simulation",
}


@pytest.fixture(scope="module")
def deposit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deposit") / "out"
    assert cli.main(["deposit", str(SAMPLES), "--out", str(folder), "--quiet"]) == 1
    return folder


def test_what_is_not_told_is_asked_for_by_name(tmp_path, capsys):
    words = ["deposit", str(SAMPLES), "--out", str(tmp_path / "out"), "--json"]
    assert cli.main(words) == 1
    found = {one["code"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert "no_licence" not in found  # dataset.toml tells it
    assert found["no_authors"]["severity"] == "error"
    assert "dataset.toml" in found["no_organism"]["remedy"]
    assert "no_split" in found
    assert "no_pixel_size" not in found


def test_the_crate_keeps_the_rules_of_its_standard(deposit):
    assert check_crate(deposit) == []
    graph = {one["@id"]: one for one in json.loads((deposit / NAME).read_text())["@graph"]}
    assert graph["./"]["license"] == {"@id": "https://spdx.org/licenses/CC0-1.0"}
    some = next(name for name in graph if name.startswith("images/"))
    path = deposit / some
    assert graph[some]["contentSize"] == str(path.stat().st_size)
    assert graph[some]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_check_finds_what_is_wrong(tmp_path):
    folder = tmp_path / "out"
    cli.main(["deposit", str(SAMPLES), "--out", str(folder), "--quiet"])
    card = folder / "README.md"
    card.write_text(card.read_text() + "more\n")
    (folder / "stray.txt").write_text("stray")
    next((folder / "labels").iterdir()).unlink()
    about = json.loads((folder / NAME).read_text())
    root = next(one for one in about["@graph"] if one["@id"] == "./")
    del root["license"]
    root["author"] = [{"@id": "#nobody"}]
    (folder / NAME).write_text(json.dumps(about))
    told = " ".join(check_crate(folder))
    for part in (
        "README.md has changed",
        "stray.txt is not",
        "is missing",
        "no license",
        "#nobody",
    ):
        assert part in told


def test_checksums_cover_every_other_file(deposit):
    lines = (deposit / "checksums.sha256").read_text().splitlines()
    names = {line.split("  ", 1)[1] for line in lines}
    there = {p.relative_to(deposit).as_posix() for p in deposit.rglob("*") if p.is_file()}
    assert {name for name in there if "/." not in f"/{name}"} - names == {"checksums.sha256"}


def test_card_headings_are_those_of_rembi_and_previews_are_pictures(deposit):
    card = (deposit / "README.md").read_text("utf-8")
    for heading in rembi.QUESTIONS:
        assert f"## {heading}\n" in card
    pictures = sorted((deposit / "previews").glob("*.png"))
    assert len(pictures) == 6
    assert read_image(pictures[0]).is_rgb


def test_a_split_stays_a_split_and_with_all_answers_there_are_no_findings(tmp_path, capsys):
    split = tmp_path / "split"
    assert cli.main(["split", str(SAMPLES), "--out", str(split), "--quiet"]) == 0
    lines = [f"{key} = {json.dumps(value)}" for key, value in ANSWERS.items()]
    for place in (split, *(split / part for part in ("train", "val", "test"))):
        if place.is_dir():
            about = place / "dataset.toml"
            kept = about.read_text().splitlines() if about.exists() else []
            kept = [one for one in kept if one.split(" =")[0] not in ANSWERS]
            about.write_text("\n".join([*kept, *lines]) + "\n")
    capsys.readouterr()
    words = ["deposit", str(split), "--out", str(tmp_path / "out"), "--json"]
    code = cli.main(words)
    document = json.loads(capsys.readouterr().out)
    assert document["findings"] == []
    assert code == 0
    assert {"train", "val", "test"} <= {p.name for p in Path(tmp_path / "out").iterdir()}
    assert check_crate(tmp_path / "out") == []


@pytest.fixture
def own_set(tmp_path):
    """A data set that can be written into."""
    folder = tmp_path / "set"
    shutil.copytree(SAMPLES, folder)
    return folder


def test_what_is_open_is_asked_and_kept(own_set, tmp_path, monkeypatch, capsys):
    before = set(data.DataSet.open(own_set).meta)
    given = ["", "Many nuclei, simulated.", "Ada Lovelace; Grace Hopper", "."]
    answers = io.StringIO("\n".join(given) + "\n")
    monkeypatch.setattr("sys.stdin", answers)
    words = ["deposit", str(own_set), "--out", str(tmp_path / "out"), "--ask", "--json"]
    assert cli.main(words) == 1
    said = capsys.readouterr()
    asked = [key for keys in rembi.QUESTIONS.values() for key in keys if key not in before]
    meta = data.DataSet.open(own_set).meta
    assert meta[asked[1]] == given[1]
    assert asked[0] not in meta
    codes = {one["code"] for one in json.loads(said.out)["findings"]}
    assert f"no_{asked[0]}" in codes
    assert f"no_{asked[1]}" not in codes
    assert before <= set(meta)
    assert "a dot ends" in said.err


def test_nobody_there_leaves_all_open(own_set, tmp_path, monkeypatch):
    text = (own_set / "dataset.toml").read_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    words = ["deposit", str(own_set), "--out", str(tmp_path / "out"), "--ask", "--quiet"]
    assert cli.main(words) == 1
    assert (own_set / "dataset.toml").read_text() == text


def test_what_is_told_already_is_not_written_over(own_set):
    save_answers(own_set, {"organism": "Arabidopsis thaliana"})
    with pytest.raises(UserError, match="organism"):
        save_answers(own_set, {"organism": "none"})
    assert data.DataSet.open(own_set).meta["organism"] == "Arabidopsis thaliana"


def test_tables_of_the_image_data_resource_name_every_file(own_set, tmp_path):
    save_answers(own_set, {"organism": "none\tat all", "authors": ["Ada King Lovelace"]})
    cli.main(["deposit", str(own_set), "--out", str(tmp_path / "out"), "--quiet"])
    with (tmp_path / "out" / idr.STUDY).open(newline="") as file:
        study = {row[0]: row[1:] for row in csv.reader(file, dialect="excel-tab")}
    assert study["Study Organism"] == ["none\tat all"]
    assert study["Study Person Last Name"] == ["Lovelace"]
    assert study["Study Person First Name"] == ["Ada King"]
    with (tmp_path / "out" / "experimentA" / idr.ASSAYS).open(newline="") as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    assert study["Experiment Assay File"] == [idr.ASSAYS]
    places = [f"{row['Comment [Image File Path]']}/{row['Image File']}" for row in rows]
    assert len(places) == 2 * len(data.DataSet.open(own_set))
    assert all((tmp_path / "out" / place).is_file() for place in places)
    assert {row["Comment [Image File Type]"] for row in rows} == {"raw", "derived"}
    sums = (tmp_path / "out" / "checksums.sha256").read_text()
    assert idr.STUDY in sums


# what the reader of the Image Data Resource asks for: IDR/idr-utils, pyidr/study_parser.py
MANDATORY = (
    *("Comment[IDR Study Accession]", "Study Title", "Study Description", "Study Type"),
    *("Study Publication Title", "Study Author List", "Study Organism"),
    *("Study Public Release Date", "Comment[IDR Experiment Name]", "Experiment Description"),
    *("Experiment Sample Type", "Experiment Imaging Method", "Experiment Number"),
)


@pytest.mark.parametrize("authors", [[], ["Ada King-Lovelace"]])
def test_the_study_file_has_what_the_reader_of_its_repository_asks_for(authors):
    told = {"authors": authors, "description": "Two\nlines.", "citation": "none yet"}
    rows = list(idr.list_study(told, count=6, name="Roots (day 3)"))
    study = {key: values for key, *values in rows}
    assert set(MANDATORY) <= set(study)
    assert all(len(study[key]) == 1 for key in MANDATORY)  # a tab follows the key
    assert not [cell for row in rows for cell in row if "\n" in cell]
    (accession,), (name,) = study["Comment[IDR Study Accession]"], study[MANDATORY[8]]
    assert re.fullmatch(rf"{accession}-\w+(-\w+)?/\w+", name)
    assert study["Study DOI"] == [""]  # what is no DOI would be refused
    cited = {"citation": "King 2026, https://doi.org/10.1234/ab.5."}
    found = {key: values for key, *values in idr.list_study(cited, count=1)}
    assert found["Study DOI"] == ["10.1234/ab.5"]
    start = [key for key, *_ in rows].index("Experiment Number")
    assert {key for key, *_ in rows[start:]} >= {k for k in MANDATORY if "Experiment" in k}


def test_a_licence_that_forbids_trade_is_pointed_out(own_set):
    text = (own_set / "dataset.toml").read_text()
    kept = [line for line in text.splitlines() if not line.startswith("licence")]
    lines = ['licence = "CC-BY-NC-4.0"', *kept]
    (own_set / "dataset.toml").write_text("\n".join(lines))
    codes = [one["code"] for one in judge_sharing(data.DataSet.open(own_set))]
    assert "closed_licence" in codes
