"""The site: every command, setting and public function is on it, and no link leads nowhere."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

import nbtools
from nbtools import cli, methods

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "notebooks"), str(ROOT / "docs")]

import build as notebooks_build  # noqa: E402
import functions  # noqa: E402
import gallery  # noqa: E402
import lesson_pages  # noqa: E402
import links  # noqa: E402
import pages  # noqa: E402

WRITTEN = sorted((ROOT / "docs").glob("*.md"))
NEW = nbformat.v4
DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_every_command_and_each_of_its_options_is_on_the_page():
    text = pages.write_commands()
    for verb in cli.COMMANDS:
        assert f"## nbtools {verb}\n" in text
        section = text.partition(f"## nbtools {verb}\n")[2].partition("\n## ")[0]
        for action in pages.list_actions(verb):
            assert pages.name_argument(action) in section, (verb, action.dest)
    assert "%(" not in text


def test_every_setting_of_every_method_is_on_the_page():
    text = pages.write_settings()
    for name in methods.names():
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        for one in methods.get(name).Settings.declarations():
            assert f"| `{one.name}` |" in section, (name, one.name)


def test_every_method_has_its_passport_of_ten_elements():
    text = pages.write_passports()
    for about in pages.list_methods():
        section = text.partition(f"## {about['name']}\n")[2].partition("\n## ")[0]
        assert section.count("\n| ") == len(pages.ELEMENTS) + 2
        assert about["passport"]["code"] in section


@pytest.mark.parametrize("room", [r for r in nbtools._ROOMS if r not in functions.HIDDEN])
def test_every_public_function_of_a_room_is_on_its_page(room):
    text = functions.write_room(room)
    module = getattr(nbtools, room)
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        if callable(value) and getattr(value, "__doc__", None) and hasattr(value, "__name__"):
            assert f"## nb.{room}.{name}\n" in text or not _is_described(value), name
    assert "0x7f" not in text


def _is_described(value) -> bool:
    import inspect

    return inspect.isfunction(value) or inspect.isclass(value)


def test_a_docstring_becomes_markdown():
    text = functions.write_docstring(
        "Add `a*b`, not *b*.\n\n"
        "Parameters\n----------\na : first,\n    told on.\nb, c : others.\n\n"
        "Examples\n--------\n>>> 1 + 1\n2"
    )
    assert text.startswith("Add `a*b`, not \\*b\\*.")
    assert "- `a`: first, told on.\n- `b, c`: others." in text
    assert "```python\n>>> 1 + 1\n2\n```" in text


def test_a_long_signature_stands_in_lines():
    assert functions.write_signature("f", lambda a, b=1: None) == "f(a, b=1)"
    long = functions.write_signature("f", nbtools.measure.measure)
    assert long.startswith("f(\n    ")
    assert "    *,\n" in long


@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: p.stem)
def test_tables_that_a_page_asks_for_are_made(page):
    stems = [source.stem for source in notebooks_build.find_sources()]
    text = pages.fill(page.read_text("utf-8"), pages.write_tables(stems))
    assert "<!-- table" not in text
    assert "<!-- if" not in text


@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: p.stem)
def test_commands_that_a_page_names_exist(page):
    named = re.findall(r"`nbtools (\w+)", page.read_text("utf-8"))
    named += re.findall(r"^(?:\S+[/\\])?nbtools (\w+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(named) <= set(cli.COMMANDS)


def test_a_part_on_an_option_that_is_missing_is_left_out():
    text = "a\n<!-- if predict --nothing -->\nno\n<!-- end if -->\n"
    assert pages.fill(text, {}) == "a\n"
    assert "yes" in pages.fill(text.replace("--nothing", "--out").replace("no\n", "yes\n"), {})


def make_course(folder: Path, *, stops: bool = False) -> Path:
    """A course in which only lesson 00 was run, with one figure."""
    folder.mkdir()
    picture = NEW.new_output("display_data", data={"image/png": DOT})
    error = NEW.new_output("error", ename="ValueError", evalue="no", traceback=[])
    cells = [
        NEW.new_markdown_cell("# 00 · Start here\n\nSee the [glossary](glossary.ipynb)."),
        NEW.new_markdown_cell("## 1. Look"),
        NEW.new_code_cell("show()", outputs=[error if stops else picture]),
    ]
    nbformat.write(NEW.new_notebook(cells=cells), folder / "00_start_here.ipynb")
    return folder


def test_lessons_become_pages_and_say_where_they_were_not_run(tmp_path):
    course = make_course(tmp_path / "course")
    stems, problems = lesson_pages.write(course, tmp_path / "lessons")
    assert problems == []
    assert len(stems) == len(notebooks_build.find_sources())
    run = (tmp_path / "lessons" / "00_start_here.ipynb").read_text("utf-8")
    assert "../glossary.md" in run
    assert DOT in run
    assert lesson_pages.NOT_RUN in (tmp_path / "lessons" / "18_share.ipynb").read_text("utf-8")


def test_a_lesson_that_stopped_is_a_problem(tmp_path):
    course = make_course(tmp_path / "course", stops=True)
    [problem] = lesson_pages.write(course, tmp_path / "lessons")[1]
    assert "00_start_here" in problem
    assert "ValueError: no" in problem


def test_the_gallery_names_the_section_of_a_figure(tmp_path):
    course = make_course(tmp_path / "course")
    gallery.write(course, tmp_path, ["00_start_here"])
    assert "*1. Look*" in (tmp_path / "gallery.md").read_text("utf-8")
    assert (tmp_path / "_static" / "gallery" / "00_start_here_1.png").is_file()


def test_dead_links_of_a_built_page_are_noticed(tmp_path):
    (tmp_path / "b.html").write_text('<p id="here">')
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here"><a href="b.html#gone"><a href="c.html"><img src="https://x.y/z">'
    )
    assert links.check(tmp_path) == [
        "a.html: b.html#gone: no such anchor",
        "a.html: c.html: no such file",
    ]


def test_a_part_of_the_site_builds_without_a_warning(tmp_path, monkeypatch):
    for name in ("sphinx", "myst_nb", "furo"):
        pytest.importorskip(name, reason="the extra `site` is not installed")
    import importlib.util

    spec = importlib.util.spec_from_file_location("site_build", ROOT / "docs" / "build.py")
    site = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(site)
    monkeypatch.setattr(functions, "write_room", lambda room: f"# nb.{room}\n")
    course = make_course(tmp_path / "course")
    assert site.main(["--course", str(course), "--out", str(tmp_path / "site")]) == 0
    page = (tmp_path / "site" / "html" / "lessons" / "00_start_here.html").read_text("utf-8")
    assert "1. Look" in page
