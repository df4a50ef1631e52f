"""A form that asks what a deposit lacks, and writes the folder."""

from __future__ import annotations

from html import escape
from pathlib import Path

import ipywidgets

from nbtools import data
from nbtools.data import DataSet, rembi
from nbtools.data.answers import LISTS, read_answer, save_answers
from nbtools.errors import UserError
from nbtools.export.deposit import write_deposit
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

LICENCES = ("CC0-1.0", "CC-BY-4.0")  # offered; any other identifier of SPDX is taken, too
LONG = {"description", "preparation", "instrument"}  # answers of several lines
NEEDED = ("title", "licence", "authors")  # without which no repository takes a data set


def fill_deposit(dataset: DataSet | str | Path, out: str | Path = "runs/deposit") -> DepositForm:
    """Make a form of the questions that a deposit leaves open; `.value` are the answers.

    Its button writes the folder, as `nbtools deposit` does. Nothing is uploaded.

    Parameters
    ----------
    dataset : data set, or its folder.
    out : folder of the deposit; it can be changed in the form.

    Examples
    --------
    >>> form = fill_deposit("my_nuclei")  # doctest: +SKIP
    >>> form.missing  # doctest: +SKIP
    ['title', 'authors', 'licence', 'organism']
    """
    opened = DataSet.open(dataset) if isinstance(dataset, str | Path) else dataset
    return DepositForm(opened, out=out)


class DepositForm(ipywidgets.VBox):
    """The widget of `fill_deposit`.

    `fields` has a field per open question, by its key in dataset.toml; `out` the folder, `keep`
    whether answers go into dataset.toml of the data set, too. `write` writes the deposit;
    `findings` are those of the last one.
    """

    def __init__(self, dataset: DataSet, *, out: str | Path):
        self.dataset = dataset
        self.findings: list[dict[str, str]] | None = None
        keys = [key for keys in rembi.QUESTIONS.values() for key in keys]
        self.fields = {key: make_field(key) for key in keys if not dataset.meta.get(key)}
        self.out = with_class(
            ipywidgets.Text(value=str(out), description="Folder", layout=WIDE, style=STYLE),
            "nb-deposit-out",
        )
        self.keep = with_class(
            ipywidgets.Checkbox(
                value=False,
                description="keep the answers in dataset.toml of the data set, too",
                indent=False,
                layout=WIDE,
            ),
            "nb-deposit-keep",
        )
        self.button = make_button("Write deposit", "nb-deposit-write", icon="archive")
        self.progress, self.status = make_html("nb-deposit-open"), make_html("nb-deposit-status")
        self.button.on_click(lambda _: self._try())
        for field in self.fields.values():
            field.observe(lambda _: self._update(), "value")
        own = [self.keep] if self._may_keep() else []
        parts = [*self._list_rows(), self.progress, self.out, *own, self.button, self.status]
        super().__init__([note_data_set(dataset), *parts])
        self.add_class("nb-deposit")
        self._update()

    @property
    def value(self) -> dict[str, str | list[str]]:
        """The answers that were given, by their key in dataset.toml."""
        found = {key: read_answer(key, field.value) for key, field in self.fields.items()}
        return {key: answer for key, answer in found.items() if answer}

    @property
    def missing(self) -> list[str]:
        """Keys of the questions that are still open."""
        return [key for key in self.fields if key not in self.value]

    def write(self) -> Path:
        """Write the deposit with the answers, and list what others would still miss in it.

        A deposit that the form wrote before is replaced.

        Raises
        ------
        UserError : the folder has content that is not ours, or dataset.toml cannot be kept.
        """
        folder = Path(self.out.value.strip()).expanduser()
        answers = self.value
        told = self.dataset.with_meta(answers)
        self.findings = write_deposit(told, folder, overwrite=True)
        if self.keep.value and self._may_keep():
            old = DataSet.open(self.dataset.folder).meta
            new = {key: answer for key, answer in answers.items() if not old.get(key)}
            if new:
                save_answers(self.dataset.folder, new)
        faults = data.check_crate(folder)
        said = [f"Written: {folder}, {len(told)} images. Upload the folder as it is.", *faults]
        said += [f"{one['message']} {one['remedy']}" for one in self.findings]
        self.status.value = "".join(map(format_note, said))
        return folder

    def _may_keep(self) -> bool:
        """Whether the data set is a folder of the user: samples stay as they are."""
        folder, samples = self.dataset.folder, data.packaged_path("samples")
        return folder is not None and not Path(folder).resolve().is_relative_to(samples.resolve())

    def _list_rows(self) -> list[ipywidgets.Widget]:
        """Headings of REMBI, each with its open questions; the rest is told in a line."""
        rows: list[ipywidgets.Widget] = []
        for heading, keys in rembi.QUESTIONS.items():
            fields = [self.fields[key] for key in keys if key in self.fields]
            told = [key for key in keys if key not in self.fields]
            words = f" <span style='opacity:0.85'>(known: {', '.join(told)})</span>" if told else ""
            rows += [ipywidgets.HTML(f"<b>{escape(heading)}</b>{words}"), *fields]
        return rows

    def _update(self) -> None:
        needed = [key for key in self.missing if key in NEEDED]
        text = f"{len(self.missing)} of {len(self.fields)} questions are open."
        if needed:
            text += f" No repository takes a data set without: {', '.join(needed)}."
        self.progress.value = format_note(text)

    def _try(self) -> None:
        self.status.value = ""
        try:
            self.write()
        except UserError as error:
            self.status.value = format_error(error)


def make_field(key: str) -> ipywidgets.Widget:
    """Make the field of a question: its name, and what belongs there as long as it is empty.

    Parameters
    ----------
    key : of dataset.toml.
    """
    _, question = rembi.find_question(key)
    about = {
        "description": key.replace("_", " "),
        "placeholder": "names, separated by semicolons" if key in LISTS else question,
        "layout": WIDE,
        "style": STYLE,
    }
    if key == "licence":
        field = ipywidgets.Combobox(options=LICENCES, ensure_option=False, **about)
    else:
        field = (ipywidgets.Textarea if key in LONG else ipywidgets.Text)(**about)
    return with_class(field, f"nb-deposit-{key}")
