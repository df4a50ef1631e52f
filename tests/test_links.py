"""Links lead somewhere: the passports of the methods, README and the other pages. No network: of
the web only the form is looked at.
"""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nbtools import methods
from nbtools.methods.registry import imported
from nbtools.methods.registry.routes import ROUTES
from nbtools.methods.registry.row import NOTHING, WORKBENCHES

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (".", "benchmarks", "notebooks", "data/weights/*")
PAGES = sorted(page for folder in FOLDERS for page in ROOT.glob(f"{folder}/*.md"))
LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)")
DOI = re.compile(r"10\.\d{4,9}/[^\s<>\"]+")
HOSTS = {
    "doi.org",
    "colab.research.google.com",
    "mybinder.org",
    "github.com",
    "semver.org",
    "keepachangelog.com",
    "creativecommons.org",
}
ELEMENTS = {
    "explanation",
    "code",
    "documentation",
    "environment",
    "trained_model",
    "training_data",
    "training_code",
    "training_routine",
    "training_documentation",
    "interface",
}


def follow(link: str, folder: Path) -> str:
    """What is wrong with a link on a page of this folder; "" where nothing."""
    parts = urlsplit(link)
    if parts.scheme:
        right = (
            parts.scheme == "https"
            and parts.hostname in HOSTS
            and (parts.hostname != "doi.org" or DOI.fullmatch(parts.path[1:]))
        )
        return "" if right else f"{link}: https, and a known host"
    path = (folder / parts.path).resolve() if parts.path else folder
    if not path.exists() or ROOT not in (path, *path.parents):
        return f"{link}: no such file"
    return (
        f"{link}: no such anchor"
        if parts.fragment and parts.fragment not in find_anchors(path)
        else ""
    )


def find_anchors(page: Path) -> set[str]:
    """Anchors that a page sets, and those that its headings make."""
    text = page.read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return set(re.findall(r'<a id="([^"]+)">', text)) | {
        re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page):
    problems = [follow(link, page.parent) for link in LINK.findall(page.read_text("utf-8"))]
    assert [p for p in problems if p] == []


@pytest.mark.parametrize("name", [*methods.names(), *(row.name for row in imported.ROWS)])
def test_every_entry_of_a_passport_leads_somewhere_or_is_null(name):
    about = methods.describe(name)
    assert set(about["passport"]) == ELEMENTS
    known = {element: link for element, link in about["passport"].items() if link is not None}
    problems = {element: follow(link, ROOT) for element, link in known.items()}
    assert {element: problem for element, problem in problems.items() if problem} == {}
    assert follow(about["lesson"], ROOT) == ""
    assert DOI.fullmatch(about["paper"]["doi"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_way_has_ten_elements_too(route):
    passport = route.passport()
    assert set(passport) == ELEMENTS
    problems = {element: follow(link, ROOT) for element, link in passport.items()}
    assert {element: problem for element, problem in problems.items() if problem} == {}


def test_what_has_weights_names_its_own_and_what_learns_nothing_says_so():
    for row in methods.ROWS:
        model = row.passport()["trained_model"]
        if row.classical:
            assert model == NOTHING, row.name
        elif row.weights is None:
            assert model is None, row.name
        else:
            about = json.loads((ROOT / model / "model.json").read_text("utf-8"))
            assert methods.row(about["method"]).name == row.name


def test_every_workbench_is_known_to_its_methods():
    guided = ROOT / "notebooks/workbench_nuclei.ipynb"  # from images without labels, for no method
    assert set(WORKBENCHES.values()) == {
        p.relative_to(ROOT).as_posix()
        for p in ROOT.glob("notebooks/workbench_*.ipynb")
        if p != guided
    }


def test_dead_links_are_noticed():
    assert follow("nbtools/training.py", ROOT).endswith("no such file")
    assert follow("README.md#no_such_method", ROOT).endswith("no such anchor")
    assert follow("../elsewhere", ROOT).endswith("no such file")
    assert follow("http://doi.org/10.1000/1", ROOT) != ""
    assert follow("https://doi.org/not_a_doi", ROOT) != ""
    assert follow("README.md#unet", ROOT) == ""
