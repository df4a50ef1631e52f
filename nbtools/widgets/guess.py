"""Exercises of a lesson: a guess beside the truth, and an answer that is checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import ipywidgets
import numpy as np

from nbtools import show
from nbtools.errors import UserError, require_choice
from nbtools.widgets.common import format_note, make_button, make_html, with_class

CLOSE = 0.1  # of the truth: a guess as near as this is called close


def guess(
    question: str, truth: float | str, *, unit: str = "", choices: Sequence[str] = ()
) -> Guess:
    """Ask for a guess, and show it beside the truth, which stays hidden until then.

    Parameters
    ----------
    question : what is to be guessed.
    truth : the number, or one of the choices.
    unit : of the number, such as "%" or "nuclei".
    choices : answers to choose from; without them a number is asked for.

    Raises
    ------
    UserError : a truth that is none of the choices, or no number where there are no choices.

    Examples
    --------
    >>> guess("How many legs has a spider?", 8, unit="legs").compare(6)
    'Your guess: 6 legs. The truth: 8 legs. Too low.'
    """
    return Guess(question, truth, unit=unit, choices=choices)


class Guess(ipywidgets.VBox):
    """The widget of `guess`; `value` is the guess, None before there is one."""

    def __init__(
        self, question: str, truth: float | str, *, unit: str = "", choices: Sequence[str] = ()
    ):
        self.question, self.unit, self.choices = question, unit, tuple(choices)
        self.truth = self._read_truth(truth)
        self.value: float | str | None = None
        self.words = make_html("nb-guess-question")
        self.words.value = format_note(question)
        self.field = _make_choices(self.choices) if self.choices else _make_number(unit)
        with_class(self.field, "nb-guess-field")
        self.field.observe(lambda change: self._take(change["new"]), "value")
        self.button = make_button("Show the truth", "nb-guess-show")
        self.button.on_click(lambda _: self._show(self.tell_truth()))
        self.answer = make_html("nb-guess-answer")
        super().__init__([self.words, self.field, self.button, self.answer])
        self.add_class("nb-guess")

    def compare(self, value: float | str) -> str:
        """Take a guess, and say it beside the truth.

        Parameters
        ----------
        value : the guess: a number, or one of the choices.

        Raises
        ------
        UserError : no number, or none of the choices.
        """
        if self.choices:
            require_choice(value, self.choices, rule="A guess is one of the choices.")
            self.value = value
        else:
            self.value = read_number(value)
        mine = self._with_unit(self.value)
        text = f"Your guess: {mine}. {self.tell_truth()} {self._judge()}"
        self._show(text)
        return text

    def tell_truth(self) -> str:
        """Say the truth in one sentence."""
        return f"The truth: {self._with_unit(self.truth)}."

    def _read_truth(self, truth: float | str) -> float | str:
        if self.choices:
            require_choice(truth, self.choices, rule="The truth is one of the choices.")
            return truth
        return read_number(truth)

    def _take(self, entry: object) -> None:
        """What was entered or chosen; an empty field is no guess."""
        if entry in (None, ""):
            return
        try:
            self.compare(entry)
        except UserError as error:
            self._show(str(error))

    def _judge(self) -> str:
        if self.choices:
            return "Right." if self.value == self.truth else "Another one: find out why."
        off = self.value - self.truth
        if abs(off) <= CLOSE * abs(self.truth):
            return "Close."
        return "Too high." if off > 0 else "Too low."

    def _with_unit(self, value: float | str) -> str:
        if isinstance(value, str):
            return value
        return f"{format_number(value)} {self.unit}".strip()

    def _show(self, text: str) -> None:
        self.answer.value = format_note(text)

    def _repr_mimebundle_(self, **options: object) -> dict:
        choices = f"\n{_number(self.choices)}" if self.choices else ""
        example = repr(self.choices[0]) if self.choices else "12"
        text = f"{self.question}{choices}\nWithout a field to fill in, run: _.compare({example})"
        return _with_plain(super()._repr_mimebundle_(**options), text)


def ask(question: str, answers: Mapping[str, str], *, right: str) -> Question:
    """Ask a question with answers to choose from; each is checked.

    Parameters
    ----------
    question : what is asked.
    answers : each answer, and what is said to whoever chooses it: of the right one why it is right,
        of the others what to look at next.
    right : the right one.

    Raises
    ------
    UserError : a right answer that is none of the answers.

    Examples
    --------
    >>> legs = {"six": "Count again, from the front.", "eight": "Four on each side."}
    >>> ask("How many legs has a spider?", legs, right="eight").check("six")
    'Not yet. Count again, from the front.'
    """
    return Question(question, answers, right=right)


class Question(ipywidgets.VBox):
    """The widget of `ask`; `value` is the answer, None before there is one."""

    def __init__(self, question: str, answers: Mapping[str, str], *, right: str):
        require_choice(right, answers, rule="The right answer is one of the answers.")
        self.question, self.answers, self.right = question, dict(answers), right
        self.value: str | None = None
        self.words = make_html("nb-ask-question")
        self.words.value = format_note(question)
        self.field = with_class(_make_choices(tuple(answers)), "nb-ask-field")
        self.field.observe(lambda change: self._take(change["new"]), "value")
        self.answer = make_html("nb-ask-answer")
        super().__init__([self.words, self.field, self.answer])
        self.add_class("nb-ask")

    def check(self, answer: str) -> str:
        """Say whether an answer is right, or what to look at next.

        Parameters
        ----------
        answer : one of the answers.

        Raises
        ------
        UserError : none of the answers.
        """
        require_choice(answer, self.answers, rule="An answer is one of those offered.")
        self.value = answer
        text = f"{'Right.' if answer == self.right else 'Not yet.'} {self.answers[answer]}"
        self.answer.value = format_note(text)
        return text

    def _take(self, entry: object) -> None:
        if entry is not None:
            self.check(entry)

    def _repr_mimebundle_(self, **options: object) -> dict:
        example = next(iter(self.answers))
        text = f"{self.question}\n{_number(tuple(self.answers))}"
        text += f"\nWithout buttons to choose from, run: _.check({example!r})"
        return _with_plain(super()._repr_mimebundle_(**options), text)


def read_number(entry: object) -> float:
    """Read a number as people write it: "0.4", "0,4", "40 %".

    Parameters
    ----------
    entry : number, or its text; a unit behind it is left out.

    Raises
    ------
    UserError : no number.

    Examples
    --------
    >>> read_number("0,4 µm")
    0.4
    """
    text = str(entry).strip().replace(",", ".")
    digits = text.rstrip("%").split()[0] if text.rstrip("%").split() else ""
    try:
        value = float(digits)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError("A guess is a number.", f"{entry!r}", "Write it in digits, such as 12.")
    return value


def format_number(value: float) -> str:
    """Format a number in few digits: whole ones as they are, others with three digits.

    Parameters
    ----------
    value : the number.

    Examples
    --------
    >>> format_number(12.0), format_number(0.0123456)
    ('12', '0.0123')
    """
    if float(value).is_integer():
        return f"{value:.0f}"
    return show.text.format_value(float(np.format_float_positional(value, 3, fractional=False)))


def _make_number(unit: str) -> ipywidgets.Text:
    """A field for a number; it is taken when the field is left, or at Enter."""
    hint = f"your guess, {unit}" if unit else "your guess"
    return ipywidgets.Text(placeholder=hint, continuous_update=False, layout={"width": "220px"})


def _make_choices(choices: Sequence[str]) -> ipywidgets.RadioButtons:
    """Buttons of which none is chosen yet."""
    layout = {"width": "auto"}
    return ipywidgets.RadioButtons(options=list(choices), value=None, layout=layout)


def _number(choices: Sequence[str]) -> str:
    """The choices, one a line."""
    return "\n".join(f"- {choice}" for choice in choices)


def _with_plain(shown: dict | tuple | None, text: str) -> dict | tuple:
    """What a page shows of a widget, with words for pages that show no widgets."""
    data = shown[0] if isinstance(shown, tuple) else shown
    data = dict(data or {})
    data["text/plain"] = text
    if "text/html" in data:
        data["text/html"] = f"<pre>{escape(text)}</pre>"
    return (data, *shown[1:]) if isinstance(shown, tuple) else data
