"""Tables and findings as HTML in a notebook, and as plain text elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from nbtools.wording import in_python

STYLE = (
    # twice the class: stronger than what pages of notebooks say of all tables
    "<style>.nb-table.nb-table{border-collapse:collapse;font-size:13px;margin:4px 0}"
    ".nb-table.nb-table th{text-align:left;border-bottom:1px solid #888;padding:3px 8px}"
    ".nb-table.nb-table td{padding:3px 8px;border-bottom:1px solid #8885;vertical-align:top;"
    "text-align:left}"
    ".nb-table.nb-table td.nb-number{text-align:right;font-variant-numeric:tabular-nums}"
    ".nb-words{font-size:13px;margin:4px 0}"
    ".nb-mark{font-weight:600;border-radius:3px;padding:1px 6px;color:#fff}</style>"
)
SEVERITIES = {"error": "#b3261e", "warning": "#9a6700", "note": "#0b57d0"}


class RichText:
    """Text with two forms: HTML in a notebook, plain text elsewhere."""

    def __init__(self, html: str, text: str):
        self.html, self.text = html, text

    def _repr_html_(self) -> str:
        return STYLE + self.html

    def __repr__(self) -> str:
        return self.text

    def add_words(self, sentences: Sequence[str]) -> RichText:
        """The same with sentences below."""
        more = "".join(f"<div class='nb-words'>{escape(text)}</div>" for text in sentences)
        return RichText(self.html + more, "\n".join([self.text, *sentences]))


def page(path: str | Path, *, height: int = 640) -> RichText:
    """A page of HTML, such as a report, in a frame of its own below a cell, and where it lies.

    Parameters
    ----------
    path : of a self-contained file, as `report.write` returns it.
    height : of the frame in pixels; the page scrolls inside.
    """
    content = escape(Path(path).read_text("utf-8"), quote=True)
    frame = (
        f'<iframe srcdoc="{content}" title="{escape(Path(path).name)}" '
        f'style="width:100%;height:{height}px;border:1px solid #8886"></iframe>'
    )
    place = f"{path}: open it in any browser."
    return RichText(frame, f"{path}").add_words([place])


def table(columns: Mapping | Sequence[Mapping], *, limit: int = 10) -> RichText:
    """The first rows of a table: column to values, rows as mappings, or a pandas table.

    Parameters
    ----------
    columns : column to values, or a pandas table; or rows as mappings.
    limit : number of rows shown.

    Examples
    --------
    >>> table({"label": [1, 2], "area_um2": [3.25, 12345.678]})
    label  area_um2
    1      3.25
    2      12346
    2 rows
    >>> table([{"label": 1, "area_um2": 3.25}])
    label  area_um2
    1      3.25
    1 row
    """
    if isinstance(columns, Sequence):
        columns = _collect_columns(columns)
    names = [str(name) for name in columns]
    values = [list(columns[name]) for name in columns]
    count = len(values[0]) if values else 0
    rows = [
        [format_value(v) for v in row] for row in zip(*(v[:limit] for v in values), strict=True)
    ]
    numeric = [
        bool(v)
        and isinstance(v[0], int | float | np.number)
        and not isinstance(v[0], bool | np.bool_)
        for v in values
    ]
    rest = f"{count} row{'' if count == 1 else 's'}" + (
        f", the first {limit} shown" if count > limit else ""
    )
    return RichText(
        f"{_to_html(names, rows, numeric)}<div class='nb-words'>{rest}</div>",
        f"{_to_text(names, rows)}\n{rest}",
    )


def findings(found: Iterable[Any]) -> RichText:
    """Show the findings of a check: what is wrong, where, and what to do; errors first.

    Parameters
    ----------
    found : findings with severity ("error", "warning", "note"), file, message and remedy; `why`
        stands with the first finding of each code. Remedies are told in the words of Python.
    """
    order = list(SEVERITIES)
    found = sorted(
        found, key=lambda f: order.index(f.severity) if f.severity in order else len(order)
    )
    if not found:
        return RichText(
            "<div class='nb-words'>✓ No problems found in these images.</div>",
            "No problems found in these images.",
        )
    first = {getattr(f, "code", ""): f for f in reversed(found)}
    whys = [
        f" {f.why}" if first.get(getattr(f, "code", "")) is f and hasattr(f, "why") else ""
        for f in found
    ]
    names = ["", "file", "finding, and why it matters", "what to do"]
    rows = [
        [f.severity, str(f.file or ""), f.message + why, in_python(f.remedy)]
        for f, why in zip(found, whys, strict=True)
    ]
    counts = ", ".join(
        f"{n} {s}{'' if n == 1 else 's'}"
        for s in order
        if (n := sum(f.severity == s for f in found))
    )
    text = "\n".join(
        f"{severity}: {f'{file}: ' if file else ''}{message} {remedy}"
        for severity, file, message, remedy in rows
    )
    return RichText(
        f"{_to_html(names, rows, [False] * 4)}<div class='nb-words'>{counts}</div>",
        f"{text}\n{counts}",
    )


def format_value(value: Any) -> str:
    """Format a value in few characters: four digits are enough for a measurement."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _collect_columns(rows: Sequence[Mapping]) -> dict[str, list]:
    columns = {name: [] for name in next(iter(rows), ())}
    for row in rows:
        for name, values in columns.items():
            values.append(row[name])
    return columns


def _to_html(names: list[str], rows: list[list[str]], numeric: list[bool]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(_write_cell(v, n) for v, n in zip(row, numeric, strict=True))}</tr>"
        for row in rows
    )
    return (
        f"<div style='overflow-x:auto'><table class='nb-table'><tr>{head}</tr>{body}</table></div>"
    )


def _write_cell(value: str, number: bool) -> str:
    if value in SEVERITIES:
        return (
            f"<td><span class='nb-mark' style='background:{SEVERITIES[value]}'>{value}</span></td>"
        )
    return f"<td{' class=nb-number' if number else ''}>{escape(value)}</td>"


def _to_text(names: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return "\n".join(
        "  ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)).rstrip()
        for row in [names, *rows]
    )
