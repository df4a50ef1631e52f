"""The other widgets in the browser: set by a hand, read from the page and from disk."""

import importlib.metadata
import json
import zipfile

import numpy as np
import pytest
from reliability import bad_data

from browser.driver import write_notebook
from nbtools.data import DataSet

VERSION = importlib.metadata.version("ipywidgets")
PAGE = (
    "lab" if VERSION.startswith("7.") else "voila"
)  # Voilà of today shows widgets of ipywidgets 8 only
# fonts and formulas that Voilà's own page asks for
OF_VOILA = (
    "https://cdn.jsdelivr.net/npm/@fortawesome/",
    "https://cdnjs.cloudflare.com/ajax/libs/mathjax/",
)
CODE = """
import ipywidgets
from pathlib import Path
from nbtools import widgets
Path("version.txt").write_text(ipywidgets.__version__)
checkup = widgets.check_up(copy="copy")
checkup
"""


def test_a_data_set_is_chosen_checked_and_repaired(tab, folder):
    bad_data.build(folder, ["binary_mask"])
    tab.open(write_notebook(folder / "check.ipynb", CODE), PAGE)
    tab.find("nb-check-run").click()
    tab.shows("nb-check-table", "o")
    tab.find("nb-pick-way").locator("select").select_option(label="a folder on this machine")
    path = tab.find("nb-folder-path").locator("input")
    path.fill(str(folder / "nowhere"))
    path.press("Enter")
    tab.shows("nb-folder-place", "A folder must exist")
    path.fill(str(folder / "binary_mask"))
    path.press("Enter")
    tab.shows("nb-pick-status", "3 images with labels")
    tab.find("nb-check-run").click()
    tab.shows("nb-check-table", "labels/n1.tif")
    tab.find("nb-check-repair").click()
    tab.shows("nb-check-status", "number objects")
    repaired = DataSet.open(folder / "copy")[1].label.pixels
    assert len(np.unique(repaired)) > 2
    assert np.count_nonzero(repaired) == np.count_nonzero(
        DataSet.open(folder / "binary_mask")[1].label.pixels
    )
    assert (folder / "version.txt").read_text() == VERSION
    assert tab.errors == []


TRAINING = (
    """
import json
from pathlib import Path
import nbtools as nb
nb.runtime.set_environment(NBTOOLS_FAST=None)  # as long as nobody stops it
train, val, _ = nb.data.samples("simulated2d").split(val=0.3, test=0.1, seed=0)
short = {"epochs": 10_000, "steps_per_epoch": 2, "batch_size": 1, "patch_size": 64}
model = nb.methods.get("fast_nuclei")(preset="tiny", **short)
live = nb.widgets.train_live(model, train, val=val, plan=nb.training.TrainingPlan(folder="run"))
live
""",
    """Path("history.json").write_text(json.dumps(live.history.summary()))""",
    """
live.value.save("model")
nb.widgets.download("model")
""",
)


def test_a_training_is_watched_stopped_while_a_cell_waits_taken_home_and_resumed(tab, folder):
    tab.open(write_notebook(folder / "train.ipynb", *TRAINING), "lab")
    tab.shows("nb-live-status", "epoch")
    tab.page.wait_for_function("document.querySelector('img.nb-live-found')?.naturalWidth > 100")
    tab.changes("nb-live-curve")
    tab.find("nb-live-stop").click()
    tab.shows("nb-live-status", "Stopped after")
    tab.wait_until_done()
    assert tab.faults == []
    history = json.loads((folder / "history.json").read_text())
    assert history["stopped"] == "user"
    assert history["best"]["epoch"] <= history["epochs"]
    with tab.page.expect_download() as arrived:
        tab.find("nb-download-link").locator("a").click()
    with zipfile.ZipFile(arrived.value.path()) as archive:
        assert {"model/model.json", "model/weights.npz"} <= set(archive.namelist())
    tab.find("nb-live-resume").click()
    tab.shows("nb-live-status", f"epoch {history['epochs'] + 1} ")
    tab.find("nb-live-stop").click()
    tab.shows("nb-live-status", "Stopped after")
    assert tab.errors == tab.refused == []


@pytest.mark.skipif(PAGE == "lab", reason="Voilà of today shows widgets of ipywidgets 8 only")
def test_a_training_is_watched_and_stopped_in_voila(tab, folder):
    tab.open(write_notebook(folder / "train.ipynb", TRAINING[0]), "voila")
    tab.shows("nb-live-status", "epoch")
    tab.page.wait_for_function("document.querySelector('img.nb-live-found')?.naturalWidth > 100")
    tab.changes("nb-live-curve")
    tab.find("nb-live-stop").click()
    tab.shows("nb-live-status", "Stopped after")
    assert tab.errors == []


EXERCISES = (
    'from nbtools import widgets\nwidgets.guess("How many legs?", 8, unit="legs")',
    'answers = {"six": "Count again.", "eight": "Four on each side."}\n'
    'widgets.ask("How many legs?", answers, right="eight")',
)


def test_a_guess_is_shown_beside_the_truth_and_an_answer_is_checked(tab, folder):
    tab.open(write_notebook(folder / "exercises.ipynb", *EXERCISES), PAGE)
    field = tab.find("nb-guess-field").locator("input")
    field.fill("6")
    field.press("Enter")
    tab.shows("nb-guess-answer", "Your guess: 6 legs. The truth: 8 legs. Too low.")
    choices = tab.find("nb-ask-field").locator("input")
    choices.first.click()
    tab.shows("nb-ask-answer", "Not yet. Count again.")
    choices.last.click()
    tab.shows("nb-ask-answer", "Right. Four on each side.")
    assert tab.errors == []
    assert [url for url in tab.refused if not url.startswith(OF_VOILA)] == []
