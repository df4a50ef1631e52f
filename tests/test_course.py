"""The course without a person: lessons found, executed, summed up, stopped lessons told."""

import base64
import json

import nbformat
import numpy as np
import pytest

from nbtools import course, runtime
from nbtools.errors import UserError

NEW = nbformat.v4


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    """A course of two lessons: one that runs and shows a picture, one that stops."""
    good = [
        NEW.new_markdown_cell("# 00 · Good"),
        NEW.new_code_cell("%pip install nothing", metadata={"tags": ["skip-execution"]}),
        NEW.new_code_cell(
            f"import base64, IPython.display as d\nd.display(d.Image(base64.b64decode(b'{DOT}')))"
        ),
        NEW.new_code_cell(
            "import os; open('made.txt', 'w').write(os.environ.get('NBTOOLS_FAST', ''))"
        ),
    ]
    bad = [
        NEW.new_markdown_cell("# 01 · Bad"),
        NEW.new_code_cell("1 / 0"),
        NEW.new_code_cell("print('never')"),
    ]
    folder = tmp_path / "lessons"
    folder.mkdir()
    for name, cells in (("00_good", good), ("01_bad", bad)):
        nbformat.write(NEW.new_notebook(cells=cells), folder / f"{name}.ipynb")
    monkeypatch.setattr(course, "find_folder", lambda inside, beside: folder)
    monkeypatch.setenv("NBTOOLS_FAST", "")
    return folder


DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_lessons_are_found_by_how_they_begin():
    assert [p.stem for p in course.find_lessons(["00"])] == ["00_start_here"]
    assert [p.stem for p in course.find_lessons(["workbench_segment.ipynb"])] == [
        "workbench_segment"
    ]


def test_the_glossary_is_no_lesson_and_lies_beside_those_that_were_run(
    lessons, tmp_path, monkeypatch
):
    nbformat.write(NEW.new_notebook(), lessons / course.GLOSSARY)
    assert [p.stem for p in course.find_lessons()] == ["00_good", "01_bad"]
    course.run_course(["00"], out=tmp_path / "run")
    assert (tmp_path / "run" / course.GLOSSARY).is_file()


def test_an_unknown_lesson_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="99. Lessons: 00_start_here"):
        course.find_lessons(["00", "99"])


def test_a_course_is_executed_and_summed_up(lessons, tmp_path):
    said = []
    done = course.run_course(out=tmp_path / "run", fast=True, say=said.append)
    good, bad = done["lessons"]
    assert (good["ok"], good["figures"], good["cells"], good["title"]) == (True, 1, 2, "00 · Good")
    assert not bad["ok"]
    assert bad["error"] == "ZeroDivisionError: division by zero"
    assert (tmp_path / "run" / "made.txt").read_text().endswith("fast.toml")
    assert any("STOPPED" in line for line in said)
    assert json.loads((tmp_path / "run" / "course.json").read_text()) == done


def test_the_summary_shows_figures_and_needs_nothing_from_outside(lessons, tmp_path):
    page = (tmp_path / "run" / "index.html", course.run_course(["00"], out=tmp_path / "run"))[
        0
    ].read_text("utf-8")
    assert DOT[:40] in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "smoke run" not in page


def test_a_stopped_lesson_is_escaped_in_the_summary():
    page = course.write_summary([course.Lesson("x", "<b>", error="<script>")], fast=True)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "smoke run" in page


def test_a_wide_figure_is_known_by_its_first_bytes(rng):
    from nbtools import show

    pictures = (
        base64.b64encode(show.array_to_png(rng.integers(0, 255, (40, n, 3), np.uint8))).decode()
        for n in (40, 120)
    )
    assert [course.is_wide(p) for p in pictures] == [False, True]


def test_nothing_is_opened_where_there_is_no_screen(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "has_display", lambda: False)
    monkeypatch.setattr(course.webbrowser, "open", lambda uri: pytest.fail("opened"))
    assert not course.open_summary(tmp_path / "index.html")


def test_one_lesson_is_run_and_becomes_a_page(lessons, tmp_path):
    said = []
    done = course.start("00", out=tmp_path / "start", say=said.append)
    page = (tmp_path / "start" / "00_good.html").read_text("utf-8")
    assert (done["ok"], done["page"]) == (True, str(tmp_path / "start" / "00_good.html"))
    assert DOT[:40] in page
    assert said == ["Running 00_good: about half a minute on two processor cores …"]


def test_a_lesson_that_stops_says_so_and_still_becomes_a_page(lessons, tmp_path):
    done = course.start("01", out=tmp_path / "start")
    assert done["error"] == "ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in (tmp_path / "start" / "01_bad.html").read_text("utf-8")


def test_runs_that_begin_in_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(course.time, "strftime", lambda _: "2026-01-01-120000")
    names = []
    for _ in range(3):
        folder = course.name_folder("start")
        folder.mkdir(parents=True)
        names.append(folder.as_posix())
    first = "runs/start-2026-01-01-120000"
    assert names == [first, f"{first}-2", f"{first}-3"]


def test_start_prints_where_the_page_is_when_there_is_no_screen(
    lessons, tmp_path, monkeypatch, run
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runtime, "has_display", lambda: False)
    code, out, _ = run("start")
    assert code == 0
    [page] = (tmp_path / "runs").glob("start-*/00_good.html")
    assert f"Open in a browser: {page}" in out
    assert run("start", "--lesson", "01", "--json")[0] == 1
