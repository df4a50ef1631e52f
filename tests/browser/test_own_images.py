"""The workbench for images without labels, in JupyterLab and in Voilà, with four kinds of own
images. Minutes: only with `make test-browser`.
"""

import json
import os

import numpy as np
import pytest

from browser.driver import LESSON_MS, Hand, copy_lesson
from nbtools import data, io
from nbtools.image import Image

pytestmark = pytest.mark.tour
NAME = "workbench_nuclei"


def write_images(folder, kind):
    """Two images of a kind, without labels; returns their number."""
    name = {"volume": "simulated3d", "section": "real_histology"}.get(kind, "simulated2d")
    samples = data.samples(name)[:2]
    for sample in samples:
        image = sample.image
        if kind == "channels":
            other = np.roll(image.pixels, 40, axis=0)[::-1]
            image = Image(
                np.stack([other, image.pixels]), "CYX", image.spacing, channels=("actin", "DAPI")
            )
        ending = "png" if kind == "section" else "tif"
        io.write_image(folder / f"{sample.name}.{ending}", image)
    return len(samples)


def read_result(folder):
    about = json.loads((folder / "runs" / NAME / "result" / "result.json").read_text())
    report = (folder / "runs" / NAME / "result" / "report.html").read_text("utf-8")
    return about, report


def choose_images(mine, tab):
    """A first cell that names the folder, as whoever starts a dashboard does."""
    return f"import os; os.environ['NBTOOLS_IMAGES'] = {str(mine)!r}"


@pytest.mark.parametrize("mode", ["lab", "voila"])
@pytest.mark.parametrize("kind", ["plane", "volume", "section", "channels"])
def test_own_images_go_from_shipped_weights_to_a_table(tab, folder, kind, mode):
    mine = folder / "mine"
    mine.mkdir()
    count = write_images(mine, kind)
    tab.open(copy_lesson(NAME, folder, first=choose_images(mine, tab)), mode)
    if mode == "lab":
        tab.wait_until_done()
        assert tab.faults == []
    else:
        tab.page.wait_for_selector(".nb-download-link a", timeout=LESSON_MS)
    about, report = read_result(folder)
    assert len(about["images"]) == count
    assert all(row["nuclei"] > 3 for row in about["images"])
    weights = {"volume": "nuclei3d", "section": "nuclei2d_histology"}.get(kind, "nuclei2d")
    assert about["model"] == weights
    assert "Not scored: nobody has labelled nuclei" in report
    for css in ("nb-weights", "nb-correct", "nb-start"):
        tab.find(css).scroll_into_view_if_needed()
        tab.photograph(f"{NAME}_{kind}_{mode}_{css}")
    assert tab.errors == []


def test_a_correction_is_learned_from_and_its_score_stands_in_the_report(tab, folder):
    mine = folder / "mine"
    mine.mkdir()
    write_images(mine, "plane")
    tab.open(copy_lesson(NAME, folder, first=choose_images(mine, tab)), "lab")
    tab.wait_until_done()
    for number in range(2):
        hand = Hand(tab)
        hand.press("click")
        hand.press("save")
        tab.shows("nb-correct-status", f"{number + 1} of 2 images saved as corrected")
        tab.find("nb-correct-next").click() if number == 0 else None
        tab.page.wait_for_timeout(3000)
    tab.run_from("split_few")
    tab.wait_until_done()
    assert tab.faults == tab.errors == []
    about, report = read_result(folder)
    assert about["model"] == f"runs/{NAME}/model"
    assert "Against the true labels of 1 image" in report
    assert "began with nuclei2d" in report
    recipe = json.loads((folder / "runs" / NAME / "model" / "recipe.json").read_text())
    assert recipe["init"]["model"] == "nuclei2d"
    tab.find("nb-download").scroll_into_view_if_needed()
    tab.photograph(f"{NAME}_corrected")


PAGES = {"light": (1300, "light"), "dark": (1300, "dark"), "narrow": (1024, "light")}


@pytest.mark.parametrize("look", PAGES)
def test_the_report_fits_its_window_and_is_legible_in_the_dark(tab, folder, look):
    from nbtools import export, methods, report

    width, scheme = PAGES[look]
    samples = data.samples("simulated3d" if look == "dark" else "simulated2d")[:3]
    found = export.save_results(
        folder / "found", samples, model=methods.load("otsu"), source="otsu"
    )
    page = report.write(found)
    tab.page.unroute("**/*")
    tab.page.emulate_media(color_scheme=scheme)
    tab.page.set_viewport_size({"width": width, "height": 800})
    tab.page.goto(page.as_uri())
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert tab.page.evaluate(wide) == 0
    first = tab.page.locator("figure img").first.bounding_box()
    assert first["y"] + 60 < 800  # the result is on the first screen
    ink, paper = (
        tab.page.evaluate(f"getComputedStyle(document.body).{name}")
        for name in ("color", "backgroundColor")
    )
    assert contrast(ink, paper) > 7
    tab.photograph(f"report_{look}")
    if folder_of_shots := os.environ.get("NBTOOLS_SHOTS"):
        tab.page.screenshot(path=f"{folder_of_shots}/report_{look}_whole.png", full_page=True)


def contrast(one, other):
    """The contrast of two CSS colours by WCAG 2.1, from 1 to 21."""
    levels = []
    for text in (one, other):
        rgb = [int(v) / 255 for v in text.removeprefix("rgb(").rstrip(")").split(",")[:3]]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
        levels.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    low, high = sorted(levels)
    return (high + 0.05) / (low + 0.05)
