"""Check a data set in a notebook, read the findings, and write a repaired copy."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from pathlib import Path

import ipywidgets

from nbtools import checks, data, show
from nbtools.checks import Finding, RepairOptions
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.widgets.common import (
    STYLE,
    WIDE,
    format_error,
    format_note,
    make_button,
    make_html,
    note_data_set,
    with_class,
)
from nbtools.widgets.picker import DataPicker, pick_data
from nbtools.wording import in_python

MOST_PICTURES = 6


def check_up(
    dataset: DataSet | str | Path | None = None, *, copy: str | Path = "runs/repaired"
) -> CheckUp:
    """Make a widget that checks a data set; `.value` is the list of findings.

    Parameters
    ----------
    dataset : data set to check, or its folder; without it, a picker asks for one, and begins with a
        sample set.
    copy : folder of the repaired copy; it can be changed in the widget.

    Examples
    --------
    >>> check_up().value  # doctest: +SKIP
    []
    """
    return CheckUp(
        data.DataSet.open(dataset) if isinstance(dataset, str | Path) else dataset, copy=copy
    )


class CheckUp(ipywidgets.VBox):
    """The widget of `check_up`.

    `picker` (where no data set was given), buttons `run` and `repair`, fields `copy` and
    `allow_fewer`, the `table` of findings, and `pictures` of the gravest ones.
    """

    def __init__(self, dataset: DataSet | None = None, *, copy: str | Path):
        self._given, self._findings, self._seen = dataset, None, None
        self.picker: DataPicker | None = pick_data() if dataset is None else None
        self.run = with_class(
            ipywidgets.Button(description="Check", icon="search", button_style="primary"),
            "nb-check-run",
        )
        self.copy = with_class(
            ipywidgets.Text(value=str(copy), description="Save copy in", layout=WIDE, style=STYLE),
            "nb-check-copy",
        )
        self.repair = make_button("Write repaired copy", "nb-check-repair", icon="wrench")
        self.table = make_html("nb-check-table")
        self.pictures = make_html("nb-check-pictures")
        self.allow_fewer = with_class(
            ipywidgets.Checkbox(
                value=False,
                description="write labels that hold fewer nuclei afterwards, too",
                indent=False,
                layout=WIDE,
            ),
            "nb-check-fewer",
        )
        self.status = make_html("nb-check-status")
        first = [self.picker] if self.picker is not None else [note_data_set(dataset)]
        parts = [self.run, self.table, self.pictures, self.copy, self.allow_fewer, self.repair]
        super().__init__([*first, *parts, self.status])
        self.add_class("nb-check")
        self.run.on_click(lambda _: self._try(self.check))
        self.repair.on_click(lambda _: self._try(self.write_copy))

    @property
    def dataset(self) -> DataSet:
        """The data set to check."""
        return self._given if self._given is not None else self.picker.value

    @property
    def value(self) -> list[Finding]:
        """The findings, errors first; the data set is checked now if it was not yet."""
        return (
            self._findings
            if self._findings is not None and self._seen is self.dataset
            else self.check()
        )

    def check(self) -> list[Finding]:
        """Check the whole data set, and show the findings."""
        self._seen = self.dataset
        self._findings = checks.check(self._seen)
        self.table.value = show.findings(self._findings)._repr_html_()  # with its style
        found = show.found_pictures(self._seen, self._findings, most=MOST_PICTURES)
        self.pictures.value = "".join(format_picture(figure) for _, figure in found)
        return self._findings

    def write_copy(self) -> Path:
        """Write the repaired copy, and list the changes; the original stays as it is."""
        folder = Path(self.copy.value.strip()).expanduser()
        options = RepairOptions(allow_fewer=self.allow_fewer.value)
        changes = checks.fix(self.dataset, self.value, folder=folder, options=options)
        lines = list(map(in_python, changes)) or ["No changes were needed."]
        self.status.value = "".join(map(format_note, [f"Repaired copy: {folder}", *lines]))
        return folder

    def _try(self, action: Callable[[], object]) -> None:
        self.status.value = ""
        try:
            action()
        except UserError as error:
            self.status.value = format_error(error)


def format_picture(figure: show.Figure) -> str:
    """A figure as HTML, with its text alternative below it."""
    data = base64.b64encode(show.to_png(figure)).decode("ascii")
    words = escape(figure.alt)
    picture = f"<img alt='{words}' style='max-width:100%' src='data:image/png;base64,{data}'>"
    return f"<figure style='margin:8px 0'>{picture}<figcaption>{words}</figcaption></figure>"
