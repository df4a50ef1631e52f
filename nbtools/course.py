"""Run the course without a person: execute every lesson, and show the results on one page."""

from __future__ import annotations

import base64
import importlib.util
import struct
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

from nbtools import io, lesson_page, runtime
from nbtools.errors import UserError

SKIP, CELL_SECONDS = "skip-execution", 1800
GLOSSARY = "glossary.ipynb"  # to be read, not run
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Lesson:
    """One executed lesson.

    Parameters
    ----------
    name, title : file name without suffix, and first heading.
    seconds : time it took.
    cells : number of executed code cells.
    pictures : its figures as PNG in base64.
    error : the error that stopped it, None if it ran to the end.
    """

    name: str
    title: str = ""
    seconds: float = 0.0
    cells: int = 0
    pictures: list[str] = field(default_factory=list)
    error: str | None = None

    def to_dict(self) -> dict:
        """The entry of the lesson in course.json."""
        figures = len(self.pictures)
        return {
            "name": self.name,
            "title": self.title,
            "ok": self.error is None,
            "seconds": round(self.seconds, 1),
            "cells": self.cells,
            "figures": figures,
            "error": self.error,
        }


def find_folder(inside: str, beside: str) -> Path:
    """Find a folder of the installed package, or of the clone from which it is built."""
    spec = importlib.util.find_spec(f"nbtools.{inside}")
    places = spec.submodule_search_locations if spec else ()
    return next((Path(p) for p in places if Path(p).is_dir()), ROOT / beside)


def find_lessons(only: list[str] | None = None) -> list[Path]:
    """Find the lessons, in course order.

    Parameters
    ----------
    only : names of lessons, or how they begin; without it, all.

    Raises
    ------
    UserError : a name that no lesson begins with.

    Examples
    --------
    >>> [p.stem for p in find_lessons(["00"])]
    ['00_start_here']
    """
    found = find_folder("_lessons", "notebooks").glob("*.ipynb")
    lessons = sorted(path for path in found if path.name != GLOSSARY)
    starts = {word: Path(word).stem for word in only or ("",)}
    chosen = [p for p in lessons if p.stem.startswith(tuple(starts.values()))]
    missing = [
        w for w, start in starts.items() if not any(p.stem.startswith(start) for p in chosen)
    ]
    if missing or not chosen:
        raise UserError(
            "A lesson must be one of the course.",
            ", ".join(missing) or "none",
            f"Lessons: {', '.join(p.stem for p in lessons)}.",
        )
    return chosen


def run_course(
    only: list[str] | None = None,
    *,
    fast: bool = False,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict:
    """Execute lessons one after the other, each in its own process.

    Parameters
    ----------
    only : names of lessons, or how they begin; without it, all.
    fast : smoke run: shorten each training by tests/fast.toml.
    out : new or empty folder of the run, by default `runs/course-DATE`; executed notebooks,
        `index.html` and `course.json` are written there.
    say : function that takes each line of progress.

    Returns
    -------
    {"folder", "summary", "fast", "seconds", "lessons": [{"name", "title", "ok", "seconds", "cells",
    "figures", "error"}]}.
    """
    lessons, begin = find_lessons(only), time.monotonic()
    folder = Path(out or name_folder("course")).absolute()
    io.require_new_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    glossary = find_folder("_lessons", "notebooks") / GLOSSARY
    if glossary.is_file():
        io.write_text(folder / GLOSSARY, glossary.read_text("utf-8"))  # lessons link to it
    if fast:
        runtime.set_environment(NBTOOLS_FAST=str(find_folder("_fast", "tests") / "fast.toml"))
    done = []
    for number, path in enumerate(lessons, 1):
        say(f"{number} of {len(lessons)}: {path.stem} …")
        done.append(run_lesson(path, folder))
        say(
            f"   {'done' if done[-1].error is None else 'STOPPED: ' + done[-1].error} "
            f"after {done[-1].seconds:.0f} s"
        )
    result = {
        "folder": str(folder),
        "summary": str(folder / "index.html"),
        "fast": fast,
        "seconds": round(time.monotonic() - begin, 1),
        "lessons": [lesson.to_dict() for lesson in done],
    }
    io.write_text(folder / "index.html", write_summary(done, fast=fast))
    io.write_json(folder / "course.json", result)
    return result


def start(
    name: str = "00",
    *,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict:
    """Execute one lesson and turn it into a page.

    Parameters
    ----------
    name : of the lesson, or how it begins; the first that does is taken.
    out : new or empty folder, by default `runs/start-DATE`.
    say : function that takes each line of progress.

    Returns
    -------
    {"folder", "page", "name", "title", "ok", "seconds", "cells", "figures", "error"}; the page is
    the executed lesson, and the summary of the course where nbconvert is missing.
    """
    path = find_lessons([name])[0]
    folder = Path(out or name_folder("start")).absolute()
    io.require_new_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    say(f"Running {path.stem}: about half a minute on two processor cores …")
    lesson, page = run_lesson(path, folder), folder / f"{path.stem}.html"
    try:
        lesson_page.write(folder / path.name, page)
    except UserError:  # without nbconvert
        page = folder / "index.html"
        io.write_text(page, write_summary([lesson], fast=False))
    return {"folder": str(folder), "page": str(page), **lesson.to_dict()}


def name_folder(kind: str) -> Path:
    """A folder for a run that begins now, which is not there yet; two may begin in one second.

    Parameters
    ----------
    kind : how its name begins.
    """
    name = f"{kind}-{time.strftime('%Y-%m-%d-%H%M%S')}"
    places = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(path for path in (Path("runs", place) for place in places) if not path.exists())


def run_lesson(path: Path, folder: Path) -> Lesson:
    """Execute one notebook in a folder, and keep the executed copy there.

    Parameters
    ----------
    path : notebook.
    folder : working folder, in which the notebook writes its files.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook, lesson = nbformat.read(path, as_version=4), Lesson(path.stem, _read_title(path))
    place, quiet = {"metadata": {"path": str(folder)}}, ["--log-level=40"]
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        skip_cells_with_tag=SKIP,
        resources=place,
        extra_arguments=quiet,
    )
    begin = time.monotonic()
    try:
        client.execute()
    except CellExecutionError as error:
        lesson.error = f"{error.ename}: {error.evalue}"[:500]
    lesson.seconds = time.monotonic() - begin
    lesson.cells = sum(
        1
        for c in notebook.cells
        if c.cell_type == "code" and SKIP not in c.metadata.get("tags", [])
    )
    outputs = chain.from_iterable(c.get("outputs", []) for c in notebook.cells)
    shown = [output.get("data", {}) for output in outputs]
    lesson.pictures = [data["image/png"] for data in shown if "image/png" in data]
    nbformat.write(notebook, folder / path.name)
    return lesson


def _read_title(path: Path) -> str:
    import nbformat

    cells = nbformat.read(path, as_version=4).cells
    sources = [c.source for c in cells if c.cell_type == "markdown"]
    lines = "\n".join(sources).splitlines()
    return next((line[2:].strip() for line in lines if line.startswith("# ")), path.stem)


def write_summary(lessons: list[Lesson], *, fast: bool) -> str:
    """Write one self-contained HTML page: executed lessons, their times and figures.

    Parameters
    ----------
    lessons : executed lessons.
    fast : whether it was a smoke run, which the page then states.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    facts = {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "versions": runtime.versions(),
        "is_wide": is_wide,
    }
    return environment.from_string(PAGE).render(lessons=lessons, fast=fast, **facts)


def is_wide(picture: str) -> bool:
    """Whether a PNG in base64 is much wider than high; its size stands in bytes 16 to 24."""
    width, height = struct.unpack(">II", base64.b64decode(picture[:32])[16:24])
    return width > 1.6 * height


def open_summary(path: str | Path) -> bool:
    """Open the page in a browser where there is a screen; return whether it opened."""
    return runtime.has_display() and webbrowser.open(Path(path).as_uri())


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The course, run on {{ date }}</title>
<style>
  body {
    font: 16px/1.5 system-ui, sans-serif;
    color: #1b1f24;
    background: #fff;
    margin: 0 auto;
    max-width: 68rem;
    padding: 1.5rem;
  }
  h1 { font-size: 1.7rem; margin: 0 0 .3rem } h2 { font-size: 1.2rem; margin: 2.2rem 0 .3rem }
  table { border-collapse: collapse; margin: 1rem 0 }
  th, td { text-align: left; padding: .35rem 1rem .35rem 0; border-bottom: 1px solid #d5dae0 }
  td.number, th.number { text-align: right }
  .ok { color: #14692e } .failed { color: #a11212; font-weight: 600 }
  .figures { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-start }
  .figures img { max-width: min(100%, 32rem); border: 1px solid #d5dae0; border-radius: 4px }
  .figures img.wide { max-width: 100% }
  .note { background: #fff6dd; border-left: 4px solid #d9a400; padding: .6rem 1rem }
  footer { margin-top: 3rem; font-size: .85rem; color: #57606a }
</style>
</head>
<body>
<h1>The course, run on {{ date }}</h1>
{% if fast %}
<p class="note">A smoke run: where a lesson trains a network, the training is shortened to show that
everything runs. The trained networks are poor on purpose.</p>
{% endif %}
<table>
<tr><th>Lesson</th><th>Result</th>
<th class="number">Seconds</th><th class="number">Figures</th></tr>
{% for lesson in lessons %}
<tr><td><a href="#{{ lesson.name }}">{{ lesson.title }}</a></td>
<td>{% if lesson.error %}<span class="failed">stopped</span>
{% else %}<span class="ok">done</span>{% endif %}</td>
<td class="number">{{ "%.0f"|format(lesson.seconds) }}</td>
<td class="number">{{ lesson.pictures|length }}</td></tr>
{% endfor %}
</table>
{% for lesson in lessons %}
<h2 id="{{ lesson.name }}">{{ lesson.title }}</h2>
<p>Executed notebook: <a href="{{ lesson.name }}.ipynb">{{ lesson.name }}.ipynb</a></p>
{% if lesson.error %}<p class="failed">{{ lesson.error }}</p>{% endif %}
<div class="figures">
{% for picture in lesson.pictures %}
<img {{ "class=wide " if is_wide(picture) }}src="data:image/png;base64,{{ picture }}"
alt="Figure {{ loop.index }} of {{ lesson.title }}">
{% endfor %}
</div>
{% endfor %}
<footer>
{% for name, version in versions.items() %}
{{ name }} {{ version or "missing" }}{{ " · " if not loop.last }}
{% endfor %}
</footer>
</body>
</html>
"""
