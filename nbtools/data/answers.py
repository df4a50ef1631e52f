"""What dataset.toml leaves open, asked one question after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from nbtools import io
from nbtools.data import rembi
from nbtools.data.layout import TOML, read_meta
from nbtools.data.writing import format_toml
from nbtools.errors import UserError

LISTS = {"authors"}  # whose answer is several, separated by semicolons


def ask_open(keys: Iterable[str], *, ask: Callable[[str], str]) -> dict[str, str | list[str]]:
    """Ask the questions that are open; an empty answer leaves one open, a dot ends.

    Parameters
    ----------
    keys : of dataset.toml.
    ask : question → answer.

    Examples
    --------
    >>> ask_open(["title", "authors"], ask=lambda question: "A; B")
    {'title': 'A; B', 'authors': ['A', 'B']}
    """
    answers: dict[str, str | list[str]] = {}
    for key in keys:
        heading, question = rembi.find_question(key)
        about = "names, separated by semicolons" if key in LISTS else question
        text = ask(f"{heading}: {key.replace('_', ' ')} ({about}): ").strip()
        if text == ".":
            break
        if found := read_answer(key, text):
            answers[key] = found
    return answers


def read_answer(key: str, text: str) -> str | list[str]:
    """What a person wrote as the value of a key; empty where it says nothing.

    Parameters
    ----------
    key : of dataset.toml.
    text : of the answer; several names are separated by semicolons.

    Examples
    --------
    >>> read_answer("authors", "Ada Lovelace; Grace Hopper;"), read_answer("title", " Roots ")
    (['Ada Lovelace', 'Grace Hopper'], 'Roots')
    """
    if key not in LISTS:
        return text.strip()
    return [part.strip() for part in text.split(";") if part.strip()]


def save_answers(folder: str | Path, answers: dict[str, str | list[str]]) -> Path:
    """Write answers into dataset.toml; its other lines and comments stay.

    Only call it where the user was asked: nothing else writes into a data set.

    Parameters
    ----------
    folder : of the data set.
    answers : key → answer, of keys that it does not have.

    Raises
    ------
    UserError : there is no such folder, or it has one of the keys.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            "Answers are kept in the folder of a data set.",
            folder,
            "Put the images into a folder images/, and name its parent.",
        )
    old = {key for key, value in read_meta(folder).items() if value}
    if known := sorted(old & set(answers)):
        raise UserError(
            "What dataset.toml tells is changed by hand.",
            ", ".join(known),
            f"Edit {folder / TOML}.",
        )
    path = folder / TOML
    text = path.read_text("utf-8-sig") if path.is_file() else ""
    kept = [line for line in text.splitlines() if not _is_empty(line, answers)]
    io.write_text(path, format_toml(answers) + "\n".join(kept) + ("\n" if kept else ""))
    return path


def _is_empty(line: str, answers: dict) -> bool:
    """Whether a line leaves open what was answered now, as in title = ""."""
    key, _, value = line.partition("=")
    return key.strip() in answers and value.strip() in ('""', "''", "[]")
