"""The other widgets in the browser: set by a hand, read from the page and from disk."""

import importlib.metadata

import numpy as np
from reliability import bad_data

from browser.driver import write_notebook
from nbtools.data import DataSet

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
    tab.open(write_notebook(folder / "check.ipynb", CODE), "voila")
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
    assert np.count_nonzero(repaired) == np.count_nonzero(DataSet.open(folder / "binary_mask")[1].label.pixels)
    assert (folder / "version.txt").read_text() == importlib.metadata.version("ipywidgets")
    assert tab.errors == []
