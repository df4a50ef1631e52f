"""Whole notebooks in JupyterLab, as a learner goes through them. Minutes: only with `make
test-browser`.
"""

import json
import zipfile

import pytest

from browser.driver import Hand, copy_lesson

pytestmark = pytest.mark.tour


@pytest.mark.parametrize("name", ["00_start_here", "01_look_at_images"])
def test_a_notebook_runs_from_top_to_bottom_in_jupyterlab(tab, folder, name):
    tab.open(copy_lesson(name, folder), "lab").wait_until_done()
    assert tab.faults == tab.errors == tab.refused == []
    assert len(tab.pictures) >= 3
    tab.photograph(name)


# trainings last until somebody stops them
LONG = "import nbtools as nb; nb.runtime.set_environment(NBTOOLS_FAST=None)"


def watch_and_stop(tab, name):
    """A training runs: its curve moves; then Stop is pressed, and the cells below go on with the
    best weights.
    """
    tab.shows("nb-live-status", " · ")  # one that has ended says it without
    tab.page.wait_for_function("document.querySelector('img.nb-live-found')?.naturalWidth > 100")
    tab.changes("nb-live-curve")
    tab.find("nb-live").scroll_into_view_if_needed()
    tab.photograph(f"{name}_training")
    tab.find("nb-live-stop").click()
    tab.shows("nb-live-status", "Stopped after")
    tab.wait_until_done()
    assert tab.faults == tab.errors == []


def take_home(tab, name):
    """What the download at the end of a workbench holds."""
    with tab.page.expect_download() as arrived:
        tab.find("nb-download-link").locator("a").click()
    tab.photograph(f"{name}_download")
    with zipfile.ZipFile(arrived.value.path()) as archive:
        return {name.split("/", 1)[1] for name in archive.namelist()}


def slide(tab, css, *, steps):
    """A slider is moved by the keyboard, and its picture follows."""
    picture = css.rsplit("-", 1)[0] + "-picture"
    before = tab.find(picture).get_attribute("src")
    handle = tab.find(css).locator(".noUi-handle").first
    handle.focus()
    for _ in range(abs(steps)):
        handle.press("ArrowRight" if steps > 0 else "ArrowLeft")
    tab.page.wait_for_function(
        f"(src) => document.querySelector('img.{picture}').src !== src", arg=before
    )


def test_segmenting_from_the_choice_of_images_to_the_download(tab, folder):
    tab.open(copy_lesson("workbench_segment", folder, first=LONG), "lab")
    watch_and_stop(tab, "segment_first")
    before = tab.pictures
    tab.find("nb-pick-samples").locator("select").select_option(label="nuclei2d")
    tab.shows("nb-pick-status", "1 image with labels")
    tab.find("nb-pick-samples").locator("select").select_option(label="simulated2d")
    tab.shows("nb-pick-status", "6 images with labels")
    tab.find("nb-pick").scroll_into_view_if_needed()
    tab.photograph("segment_data")
    tab.find("nb-setting-preset").locator("select").select_option(label="tiny")
    tab.photograph("segment_settings")
    tab.run_from("TrainingPlan")
    watch_and_stop(tab, "segment_second")
    assert len(tab.pictures) == len(before)
    assert tab.pictures[-1] != before[-1]  # the scores
    slide(tab, "nb-explore-slider", steps=-20)
    tab.find("nb-explore").scroll_into_view_if_needed()
    tab.photograph("segment_threshold")
    tab.run_from("write_recipe")
    tab.wait_until_done()
    said = tab.find(
        "nb-explore-count"
    ).inner_text()  # now that every step of the slider has been answered
    assert tab.faults == tab.errors == tab.refused == []
    model = json.loads((folder / "runs" / "workbench_segment" / "model" / "model.json").read_text())
    assert model["settings"]["preset"] == "tiny"
    assert said.endswith(f"{model['tuned']['threshold']:.3g}")
    assert {"model.json", "weights.npz", "recipe.json", "history.csv", "report.html"} <= take_home(
        tab, "segment"
    )


def test_denoising_from_the_choice_of_images_to_the_download(tab, folder):
    tab.open(copy_lesson("workbench_denoise", folder, first=LONG), "lab")
    watch_and_stop(tab, "denoise")
    slide(tab, "nb-compare-line", steps=10)
    tab.find("nb-compare").scroll_into_view_if_needed()
    tab.photograph("denoise_compared")
    assert {"model.json", "weights.npz", "recipe.json", "history.csv", "report.html"} <= take_home(
        tab, "denoise"
    )
    assert len(list((folder / "runs" / "workbench_denoise" / "restored").iterdir())) == 1
    assert tab.errors == tab.refused == []


def test_lesson_03_is_painted_in(tab, folder):
    tab.open(copy_lesson("03_label_nuclei", folder), "lab").wait_until_done()
    assert tab.faults == tab.errors == []
    hand = Hand(tab)
    hand.drag((62, 52), (92, 52), (92, 20), (62, 20), (61, 51))
    hand.wait(count=1)
    tab.photograph("03_painted")
    tab.run_from("painter.describe()")
    tab.wait_until_done()
    assert tab.faults == []
    assert "1 nucleus; 1 strokes" in tab.page.locator(".jp-Notebook").inner_text()


def test_the_sliders_of_lesson_05_move_the_line_and_the_way_down(tab, folder):
    tab.open(copy_lesson("05_inside_the_black_box", folder), "lab").wait_until_done()
    assert tab.faults == tab.errors == tab.refused == []
    assert len(tab.pictures) >= 6
    tab.shows("nb-weigh-status", "%")
    slide(tab, "nb-weigh-first", steps=-20)  # from 1 to -1
    slide(tab, "nb-weigh-second", steps=-10)
    tab.find("nb-weigh").scroll_into_view_if_needed()
    tab.photograph("05_weights")
    slide(tab, "nb-descend-rate", steps=1)  # from 0.1 to 1
    slide(tab, "nb-descend-steps", steps=-10)
    tab.find("nb-descend").scroll_into_view_if_needed()
    tab.photograph("05_learning_rate")
    assert tab.errors == []
