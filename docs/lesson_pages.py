"""Executed lessons as pages of the site."""

from __future__ import annotations

import re
from pathlib import Path

import lessons
import nbformat

from nbtools import lesson_page

LINK = re.compile(r"\]\((?:glossary\.ipynb)\)")
NOT_RUN = "*This lesson was not executed for this site: it is shown without its figures.*"


def write(course: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Write a page for each lesson; names of the pages, and what is wrong with them."""
    folder.mkdir(parents=True)
    stems, problems = [], []
    for about in lessons.describe_all():
        path = course / f"{about.stem}.ipynb"
        executed = path.is_file()
        notebook = nbformat.read(
            path if executed else lessons.HERE / f"{about.stem}.ipynb", as_version=4
        )
        problems += find_errors(about.stem, notebook)
        lesson_page.simplify(notebook)
        prepare(notebook)
        if not executed:
            notebook.cells.insert(1, nbformat.v4.new_markdown_cell(NOT_RUN))
        nbformat.write(notebook, folder / f"{about.stem}.ipynb")
        stems.append(about.stem)
    (folder / "index.md").write_text(write_index(stems), "utf-8")
    return stems, problems


def find_errors(stem: str, notebook: nbformat.NotebookNode) -> list[str]:
    """Errors that stopped a lesson."""
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    return [
        f"{stem}: a lesson must run to its end. Received: {o.ename}: {o.evalue}"
        for o in outputs
        if o.output_type == "error"
    ]


def prepare(notebook: nbformat.NotebookNode) -> None:
    """Links to pages of the site; of the outputs, what a page can show."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub("](../glossary.md)", cell.source)
            cell.pop("attachments", None)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    # without it Sphinx does not know how to colour the code of a lesson that was not executed
    notebook.metadata.setdefault("language_info", {"name": "python", "pygments_lexer": "ipython3"})


def write_index(stems: list[str]) -> str:
    """The page that leads to the lessons."""
    names = "\n".join(stems)
    return (
        "# Lessons\n\nEach lesson is shown as it ran, with the figures of that run. To work "
        "through one, open it in JupyterLab (`make lab`).\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"
    )
