"""Whole notebooks in JupyterLab, as a learner goes through them. Minutes: only with `make test-browser`."""

import json

import pytest

from browser.driver import Hand, copy_lesson

pytestmark = pytest.mark.tour


@pytest.mark.parametrize("name", ["00_start_here", "workbench_denoise"])
def test_a_notebook_runs_from_top_to_bottom_in_jupyterlab(tab, folder, name):
    tab.open(copy_lesson(name, folder), "lab").wait_until_done()
    assert tab.faults == tab.errors == tab.refused == []
    assert len(tab.pictures) >= 3


def test_a_setting_is_changed_and_the_training_follows(tab, folder):
    tab.open(copy_lesson("workbench_segment", folder), "lab").wait_until_done()
    before = tab.pictures
    tab.find("nb-pick-samples").locator("select").select_option(label="nuclei2d")
    tab.shows("nb-pick-status", "1 image with labels")
    tab.find("nb-pick-samples").locator("select").select_option(label="simulated2d")
    tab.shows("nb-pick-status", "6 images with labels")
    tab.find("nb-setting-preset").locator("select").select_option(label="tiny")
    tab.run_from("TrainingPlan")
    assert tab.faults == tab.errors == []
    assert len(tab.pictures) == len(before)
    assert tab.pictures[-1] != before[-1]  # the scores
    model = json.loads(next((folder / "runs").rglob("model.json")).read_text())
    assert model["settings"]["preset"] == "tiny"


def test_lesson_03_is_painted_in(tab, folder):
    tab.open(copy_lesson("03_label_nuclei", folder), "lab").wait_until_done()
    assert tab.faults == tab.errors == []
    hand = Hand(tab)
    hand.drag((62, 52), (92, 52), (92, 20), (62, 20), (61, 51))
    hand.wait(count=1)
    tab.run_from("painter.describe()")
    assert tab.faults == []
    assert "1 nucleus; 1 strokes" in tab.page.locator(".jp-Notebook").inner_text()
