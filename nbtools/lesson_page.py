"""An executed lesson as one page of HTML that needs nothing from outside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import runtime
from nbtools.errors import UserError

if TYPE_CHECKING:
    from nbformat import NotebookNode

WIDGET = "application/vnd.jupyter.widget-view+json"
FORM = "text/html"
STANDS_FOR_FORM = (
    '<p class="form">Here the lesson has a form to choose, paint or move with. It works in '
    "JupyterLab and Colab; this page shows what follows from its default.</p>"
)
STANDS_FOR_QUESTION = (
    '<p class="form">Here the lesson asks you first. The question, and what it says of your '
    "answer, work in JupyterLab and Colab.</p>"
)
QUESTIONS = ("widgets.guess(", "widgets.ask(")
HIDDEN = ("badges", "skip-execution")  # of no use on a page: links to other places, the install


def simplify(notebook: NotebookNode) -> NotebookNode:
    """Replace what only a running kernel can show, and leave out cells of no use on a page.

    Parameters
    ----------
    notebook : executed notebook of nbformat; changed in place.

    Returns
    -------
    The same notebook: forms stand as a sentence, badges and the install cell are gone.
    """
    notebook.cells = [c for c in notebook.cells if not _is_hidden(c)]
    for cell in notebook.cells:
        asks = any(word in cell.source for word in QUESTIONS)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if WIDGET in data:
                data.pop(WIDGET)
                data.pop("text/plain", None)
                data.setdefault(FORM, STANDS_FOR_QUESTION if asks else STANDS_FOR_FORM)
    notebook.metadata.pop("widgets", None)
    return notebook


def _is_hidden(cell: NotebookNode) -> bool:
    return any(tag in HIDDEN for tag in cell.metadata.get("tags", []))


def write(path: str | Path, out: str | Path, *, home: str = "make lab") -> Path:
    """Write the page of an executed notebook.

    Parameters
    ----------
    path : executed notebook.
    out : the page.
    home : the command that opens the lesson to be worked through, as the page tells it.

    Raises
    ------
    UserError : the package nbconvert is not installed.
    """
    try:
        from nbconvert import HTMLExporter
        from pygments.formatters import HtmlFormatter
    except ImportError as error:
        raise UserError(
            "A lesson is turned into a page by the package nbconvert.",
            "a Python without it",
            "Type: pip install nbconvert.",
        ) from error
    import jinja2
    import nbformat

    notebook = simplify(nbformat.read(path, as_version=4))
    exporter = HTMLExporter(template_name="basic", exclude_input_prompt=True)
    exporter.exclude_output_prompt = True
    body, _ = exporter.from_notebook_node(notebook)
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    facts = {
        "title": _read_title(notebook),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "versions": runtime.versions(),
        "home": home,
        "colours": write_colours(HtmlFormatter),
    }
    page = environment.from_string(PAGE).render(body=body, **facts)
    Path(out).write_text(page, encoding="utf-8")
    return Path(out)


def _read_title(notebook: NotebookNode) -> str:
    """The first heading of a notebook."""
    for cell in notebook.cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("# "):
                return line[2:].strip()
    return "Lesson"


def write_colours(formatter: type) -> str:
    """Style sheet of the code, for a light and a dark page, by pygments, which nbconvert needs."""
    light = formatter(style="default").get_style_defs(".highlight")
    dark = formatter(style="github-dark").get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
{{ colours|safe }}
  :root { --text: #1b1f24; --page: #fff; --line: #d5dae0; --note: #fff6dd; --code: #f6f8fa }
  @media (prefers-color-scheme: dark) {
    :root { --text: #e6e9ed; --page: #16191d; --line: #3a4149; --note: #3a3115; --code: #22272e }
    .jp-RenderedImage img { background: #fff }
  }
  body {
    font: 16px/1.55 system-ui, sans-serif;
    color: var(--text);
    background: var(--page);
    margin: 0 auto;
    max-width: 60rem;
    padding: 1.5rem;
    overflow-wrap: break-word;
  }
  a { color: #2f81f7 }
  h1 { font-size: 1.8rem } h2 { font-size: 1.3rem; margin-top: 2.4rem }
  img, svg { max-width: 100%; height: auto }
  .highlight, pre { background: var(--code); border-radius: 4px; overflow-x: auto }
  .highlight pre, pre { margin: .6rem 0; padding: .6rem .8rem; font-size: .85rem }
  .jp-OutputArea, .output { overflow-x: auto }
  table { border-collapse: collapse; margin: .8rem 0; font-size: .9rem }
  th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line) }
  details { margin: .6rem 0 } summary { cursor: pointer }
  .note, .form { background: var(--note); border-left: 4px solid #d9a400; padding: .5rem .9rem }
  .anchor-link { display: none }
  footer { margin-top: 3rem; font-size: .85rem; opacity: .75 }
</style>
</head>
<body>
<p class="note">This lesson was run on this computer on {{ date }}. To work through it, change it
and choose your own images: <code>{{ home }}</code></p>
{{ body|safe }}
<footer>
{% for name, version in versions.items() %}
{{ name }} {{ version or "missing" }}{{ " · " if not loop.last }}
{% endfor %}
</footer>
</body>
</html>
"""
