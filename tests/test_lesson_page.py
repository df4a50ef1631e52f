"""An executed lesson as a page: complete, and in need of nothing from outside."""

import nbformat
import pytest

from nbtools import lesson_page

NEW = nbformat.v4


@pytest.fixture
def lesson(tmp_path):
    """An executed notebook with badges, an install cell, a form and a table."""
    form = NEW.new_output(
        "execute_result",
        data={lesson_page.WIDGET: {"model_id": "x"}, "text/plain": "DataPicker()"},
    )
    table = NEW.new_output(
        "execute_result", data={"text/html": "<table><tr><td>7</td></tr></table>"}
    )
    cells = [
        NEW.new_markdown_cell("[badge](https://elsewhere)", metadata={"tags": ["badges"]}),
        NEW.new_code_cell("%pip install x", metadata={"tags": ["skip-execution"]}),
        NEW.new_markdown_cell("# 90 · A trial & more\n\nText."),
        NEW.new_code_cell("pick()", outputs=[form]),
        NEW.new_code_cell("count()", outputs=[table]),
        NEW.new_code_cell('nb.widgets.guess("How many?", 7)', outputs=[form]),
    ]
    path = tmp_path / "90_trial.ipynb"
    nbformat.write(NEW.new_notebook(cells=cells), path)
    return path


def test_a_page_shows_text_code_and_results(lesson, tmp_path):
    page = lesson_page.write(lesson, tmp_path / "page.html").read_text("utf-8")
    assert "<title>90 · A trial &amp; more</title>" in page
    assert "<td>7</td>" in page
    assert "count" in page
    assert "make lab" in page


def test_a_form_stands_as_a_sentence_and_the_install_cell_is_gone(lesson, tmp_path):
    page = lesson_page.write(lesson, tmp_path / "page.html").read_text("utf-8")
    assert "DataPicker" not in page
    assert lesson_page.STANDS_FOR_FORM in page
    assert "pip install x" not in page


def test_a_question_is_told_from_a_form(lesson, tmp_path):
    page = lesson_page.write(lesson, tmp_path / "page.html").read_text("utf-8")
    assert page.count(lesson_page.STANDS_FOR_FORM) == 1
    assert page.count(lesson_page.STANDS_FOR_QUESTION) == 1


def test_a_page_fetches_nothing(lesson, tmp_path):
    page = lesson_page.write(lesson, tmp_path / "page.html").read_text("utf-8")
    assert "http" not in page
    assert "<script" not in page
