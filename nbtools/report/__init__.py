"""One page per run: what was done, with which data and settings, how well, and file hashes."""

from __future__ import annotations

from pathlib import Path

from nbtools import io, show
from nbtools.report.facts import collect_facts
from nbtools.report.page import format_setting, key_numbers, list_tables, make_title, render_page
from nbtools.report.pictures import Picture, make_pictures
from nbtools.report.prose import write_methods
from nbtools.report.template import STAMP

__all__ = ["collect_facts", "write", "write_methods"]


def write(run_folder: str | Path, *, pdf: bool = False) -> Path:
    """Write report.html and report.json into the folder of a model, result or comparison.

    An earlier report there is replaced.

    Parameters
    ----------
    run_folder : folder that `nbtools train`, `nbtools predict`, `nbtools compare --out` or
        `export.save_run` has written. The report also shows scores/ (of `nbtools
        evaluate --save`) and nuclei.csv (of `nbtools measure`) in it.
    pdf : also write report.pdf.

    Returns
    -------
    Path of report.html: one self-contained file that opens without a network.

    Raises
    ------
    UserError : no such folder, or one that is none of these.
    """
    folder = Path(run_folder)
    names = ["report.json", "report.html", *(["report.pdf"] if pdf else [])]
    for name in names:
        io.require_new_file(folder / name, overwrite=True)
    facts = collect_facts(folder)
    pictures = make_pictures(folder, facts)
    facts["methods"] = write_methods(facts)
    io.write_json(folder / "report.json", facts)
    io.write_text(folder / "report.html", render_page(facts, pictures))
    if pdf:
        with io.atomic_write(folder / "report.pdf") as temporary:
            show.write_pdf(temporary, _make_pages(facts, pictures))
    io.add_to_mark(folder, [folder / name for name in names])
    return folder / "report.html"


def _make_pages(facts: dict, pictures: list[Picture]) -> list[show.Figure]:
    """The report as pages: text and tables first, then one page per picture."""
    stamp = [STAMP] if facts.get("smoke_run") else []
    numbers = " · ".join(f"{value} {text}" for text, value in key_numbers(facts))
    tables = [
        (heading, [(name.replace("_", " "), format_setting(value)) for name, value in rows])
        for heading, rows in list_tables(facts)
    ]
    return [
        *show.text_pages(
            make_title(facts),
            [*stamp, numbers, *facts.get("warnings", ()), facts["methods"]],
            tables=tables,
        ),
        *(show.picture_page(p.png, f"{p.section}: {p.caption}") for p in pictures),
    ]
