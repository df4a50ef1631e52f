"""Twin of widgets.guess: a guess or an answer is given, and the words are read."""

import pytest

from nbtools import widgets
from nbtools.errors import UserError
from nbtools.widgets.guess import format_number, read_number

LEGS = {"six": "Count again.", "eight": "Four on each side."}


def test_the_truth_is_hidden_until_there_is_a_guess():
    exercise = widgets.guess("How many?", 8, unit="legs")
    assert exercise.value is None
    assert exercise.answer.value == ""
    exercise.field.value = "6"
    assert exercise.value == 6
    assert "Your guess: 6 legs. The truth: 8 legs. Too low." in exercise.answer.value


def test_whoever_does_not_guess_may_look():
    exercise = widgets.guess("How many?", 8)
    exercise.button.click()
    assert "The truth: 8." in exercise.answer.value
    assert exercise.value is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [("100", "Close."), ("91 %", "Close."), ("89", "Too low."), ("111", "Too high.")],
)
def test_a_guess_within_a_tenth_of_the_truth_is_close(entry, words):
    assert widgets.guess("How much?", 100, unit="%").compare(entry).endswith(words)


def test_one_of_several_is_guessed():
    exercise = widgets.guess("Which?", "b", choices=("a", "b"))
    exercise.field.value = "a"
    assert "Another one" in exercise.answer.value
    exercise.field.value = "b"
    assert "Your guess: b. The truth: b. Right." in exercise.answer.value


def test_what_is_no_number_is_said_in_the_page():
    exercise = widgets.guess("How many?", 8)
    exercise.field.value = "many"
    assert "A guess is a number." in exercise.answer.value
    assert exercise.value is None


def test_a_wrong_answer_says_what_to_look_at_and_the_right_one_why():
    exercise = widgets.ask("How many legs?", LEGS, right="eight")
    assert exercise.value is None
    exercise.field.value = "six"
    assert "Not yet. Count again." in exercise.answer.value
    exercise.field.value = "eight"
    assert (exercise.value, exercise.check("eight")) == ("eight", "Right. Four on each side.")
    assert "Right. Four on each side." in exercise.answer.value


def test_pages_without_widgets_have_words_and_a_line_to_run():
    for exercise, line in (
        (widgets.guess("How many legs?", 8), "_.compare(12)"),
        (widgets.guess("Which?", "a", choices=("a", "b")), "_.compare('a')"),
        (widgets.ask("How many legs?", LEGS, right="eight"), "_.check('six')"),
    ):
        shown = exercise._repr_mimebundle_()
        plain = (shown[0] if isinstance(shown, tuple) else shown)["text/plain"]
        assert exercise.question in plain
        assert line in plain


def test_truths_and_answers_must_be_among_those_offered():
    with pytest.raises(UserError, match="The right answer is one of the answers"):
        widgets.ask("How many?", LEGS, right="nine")
    with pytest.raises(UserError, match="The truth is one of the choices"):
        widgets.guess("Which?", "c", choices=("a", "b"))
    with pytest.raises(UserError, match="An answer is one of those offered"):
        widgets.ask("How many?", LEGS, right="eight").check("ten")
    with pytest.raises(UserError, match="A guess is a number"):
        widgets.guess("How many?", float("nan"))


def test_numbers_are_read_and_written_as_people_do():
    assert [read_number(text) for text in ("0,4", " 40 % ", "12 nuclei", 3)] == [0.4, 40, 12, 3]
    assert [format_number(value) for value in (0.8219, 12.0, 1234.5, 0.5)] == [
        "0.822",
        "12",
        "1230",
        "0.5",
    ]
