"""Twin of deposit_form: what a deposit lacks is asked for in a form, and the folder is written."""

import json
import shutil

import pytest

from nbtools import data, widgets
from nbtools.data import DataSet, rembi
from nbtools.data.ro_crate import NAME, check_crate

SAMPLES = data.packaged_path("samples", "simulated2d")
KEYS = [key for keys in rembi.QUESTIONS.values() for key in keys]
ANSWERS = dict.fromkeys(KEYS, "told") | {"authors": "Ada Lovelace; Grace Hopper"}


@pytest.fixture
def own_set(tmp_path):
    """Two images of the samples, as a data set of the user that tells its licence alone."""
    folder = tmp_path / "set"
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
        for path in sorted((SAMPLES / kind).iterdir())[:2]:
            shutil.copy(path, folder / kind)
    (folder / "dataset.toml").write_text('# mine\naxes = "YX"\nlicence = "CC0-1.0"\n')
    return folder


def fill(form, answers):
    for key, answer in answers.items():
        if key in form.fields:
            form.fields[key].value = answer


def test_only_what_is_open_is_asked(own_set):
    form = widgets.fill_deposit(own_set)
    assert list(form.fields) == [key for key in KEYS if key != "licence"]
    assert form.value == {}
    assert form.missing == list(form.fields)
    assert "title, authors" in form.progress.value
    form.fields["title"].value = " Roots "
    assert form.value == {"title": "Roots"}
    assert "title" not in form.missing
    assert "title, authors" not in form.progress.value


def test_a_click_writes_the_deposit_with_the_answers(own_set, tmp_path):
    before = (own_set / "dataset.toml").read_text()
    form = widgets.fill_deposit(own_set, tmp_path / "out")
    fill(form, ANSWERS | {"organism": ""})
    form.button.click()
    codes = [one["code"] for one in form.findings]
    assert [code for code in codes if code.removeprefix("no_") in KEYS] == ["no_organism"]
    assert "organism is not told" in form.status.value
    out = tmp_path / "out"
    assert check_crate(out) == []
    graph = {one["@id"]: one for one in json.loads((out / NAME).read_text())["@graph"]}
    assert graph["./"]["name"] == "told"
    assert graph["#person-2"]["name"] == "Grace Hopper"
    assert DataSet.open(out).meta["authors"] == ["Ada Lovelace", "Grace Hopper"]
    assert DataSet.open(out).meta["axes"] == "YX"
    assert (own_set / "dataset.toml").read_text() == before  # nobody asked for it


def test_a_second_click_replaces_what_the_form_wrote(own_set, tmp_path):
    form = widgets.fill_deposit(own_set, tmp_path / "out")
    form.button.click()
    fill(form, ANSWERS)
    form.button.click()
    assert form.missing == []
    assert not [one for one in form.findings if one["severity"] == "error"]
    assert DataSet.open(tmp_path / "out").meta["title"] == "told"


def test_answers_are_kept_where_the_box_is_ticked(own_set, tmp_path):
    form = widgets.fill_deposit(own_set, tmp_path / "out")
    form.keep.value = True
    fill(form, {"title": "Roots"})
    form.button.click()
    fill(form, {"organism": "Arabidopsis thaliana"})
    form.button.click()
    text = (own_set / "dataset.toml").read_text()
    assert "# mine" in text
    assert DataSet.open(own_set).meta["title"] == "Roots"
    assert list(widgets.fill_deposit(own_set).fields) == form.missing


def test_the_split_stays_and_each_part_tells_the_answers(own_set, tmp_path):
    parts = dict(zip(("train", "test"), DataSet.open(own_set).split(val=0.5, seed=0), strict=True))
    for part, members in parts.items():
        data.write_dataset(members, tmp_path / "split" / part)
    form = widgets.fill_deposit(tmp_path / "split", tmp_path / "out")
    fill(form, ANSWERS)
    form.write()
    assert DataSet.open(tmp_path / "out" / "test").meta["title"] == "told"
    assert check_crate(tmp_path / "out") == []


def test_a_folder_of_the_user_is_not_replaced(own_set, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    form = widgets.fill_deposit(own_set, tmp_path / "out")
    form.button.click()
    assert "mine.txt" in form.status.value
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_into_the_samples_nothing_can_be_kept(tmp_path):
    form = widgets.fill_deposit(data.samples("simulated2d"), tmp_path / "out")
    assert form.keep not in form.children
    assert widgets.fill_deposit(str(SAMPLES)).keep not in form.children
