"""The check-up of a data set as a widget: choose it, press a button, read what is wrong, write a
repaired copy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets

from nbtools import checks, data, show
from nbtools.checks import Finding
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.widgets.common import (
    STYLE,
    WIDE,
    format_error,
    format_note,
    make_button,
    make_html,
    with_class,
)
from nbtools.widgets.picker import DataPicker, pick_data


def check_up(
    dataset: DataSet | str | Path | None = None, *, copy: str | Path = "runs/repaired"
) -> CheckUp:
    """A check-up; `.value` is the list of findings, of the sample set that is chosen to begin with,
    or of yours.

    dataset : the set to look at, or its folder; without, a picker asks for it.
    copy : where the repaired copy goes; another name can be entered.

    Examples
    --------
    >>> check_up().value  # doctest: +SKIP
    []
    """
    return CheckUp(
        data.DataSet.open(dataset) if isinstance(dataset, str | Path) else dataset, copy=copy
    )


class CheckUp(ipywidgets.VBox):
    """`picker` (where no set was given), buttons `run` and `repair`, field `copy`, and the table of
    findings, `table`.
    """

    def __init__(self, dataset: DataSet | None = None, *, copy: str | Path):
        self._given, self._findings, self._seen = dataset, None, None
        self.picker: DataPicker | None = pick_data() if dataset is None else None
        self.run = with_class(
            ipywidgets.Button(description="Check", icon="search", button_style="primary"),
            "nb-check-run",
        )
        self.copy = with_class(
            ipywidgets.Text(value=str(copy), description="Copy goes to", layout=WIDE, style=STYLE),
            "nb-check-copy",
        )
        self.repair = make_button("Write repaired copy", "nb-check-repair", icon="wrench")
        self.table = make_html("nb-check-table")
        self.status = make_html("nb-check-status")
        asked = (
            [self.picker]
            if self.picker is not None
            else [ipywidgets.HTML(format_note(f"The set: {dataset!r}"))]
        )
        super().__init__([*asked, self.run, self.table, self.copy, self.repair, self.status])
        self.add_class("nb-check")
        self.run.on_click(lambda _: self._try(self.check))
        self.repair.on_click(lambda _: self._try(self.write_copy))

    @property
    def dataset(self) -> DataSet:
        """The set that is looked at."""
        return self._given if self._given is not None else self.picker.value

    @property
    def value(self) -> list[Finding]:
        """The findings, the gravest first; the set is checked now where nobody has pressed the
        button since it was chosen.
        """
        return (
            self._findings
            if self._findings is not None and self._seen is self.dataset
            else self.check()
        )

    def check(self) -> list[Finding]:
        """Look at the whole set, and show what was found."""
        self._seen = self.dataset
        self._findings = checks.check(self._seen)
        self.table.value = show.findings(self._findings)._repr_html_()  # with its style
        return self._findings

    def write_copy(self) -> Path:
        """Write the repaired copy, and say what was changed; the original stays as it is."""
        folder = Path(self.copy.value.strip()).expanduser()
        changes = checks.fix(self.dataset, self.value, folder=folder)
        lines = changes or ["Nothing had to be changed."]
        self.status.value = "".join(map(format_note, [f"Repaired copy: {folder}", *lines]))
        return folder

    def _try(self, action: Callable[[], object]) -> None:
        self.status.value = ""
        try:
            action()
        except UserError as error:
            self.status.value = format_error(error)
