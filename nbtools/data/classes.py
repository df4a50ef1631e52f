"""Classes of single nuclei: one table of label and class per image.

They are classes/NAME.csv in a data set and NAME_classes.csv in a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nbtools import io
from nbtools.errors import UserError

UNKNOWN = ("", "0", "unknown")  # nuclei without a known class
COLUMNS = ("label", "class")


def read_classes(path: str | Path) -> dict[int, str]:
    """Read the classes of the nuclei of an image.

    Parameters
    ----------
    path : of a CSV file with the columns label and class; of a movie also frame.

    Returns
    -------
    Label (of a movie: frame and label) → class; nuclei of unknown class ("", 0, unknown) are left
    out.

    Raises
    ------
    UserError : other columns, a label that is no whole number from 1, or two classes for one label.

    Examples
    --------
    >>> write_classes(Path("embryo.csv"), {1: "interphase", 2: "mitosis"})
    >>> read_classes("embryo.csv")
    {1: 'interphase', 2: 'mitosis'}
    """
    found: dict[int, str] = {}
    rows = io.read_csv(path)
    if rows and not set(COLUMNS) <= set(rows[0]):
        raise UserError(
            "A table of classes has the columns label and class.",
            f"{path} with the columns {', '.join(rows[0])}",
            "Name its columns label and class.",
        )
    for row in rows:
        label = _to_label(row["label"], path)
        if row.get("frame", "").isdecimal():
            label = (int(row["frame"]), label)
        name = row["class"]
        if name.casefold() in UNKNOWN:
            continue
        if found.setdefault(label, name) != name:
            raise UserError(
                "A nucleus has one class.",
                f"{path}: label {label} is {found[label]} and {name}",
                "Keep one line for each label.",
            )
    return found


def write_classes(
    path: Path, classes: Mapping[int, str], *, probability: Mapping[int, float] | None = None
) -> None:
    """Write the classes of the nuclei of an image as CSV.

    Parameters
    ----------
    path : of the file.
    classes : label → class; of a movie (frame, label) → class.
    probability : label → probability of its class; a column of its own where it is given.
    """
    columns = {"label": list(classes), "class": list(classes.values())}
    if classes and isinstance(next(iter(classes)), tuple):
        frames, labels = zip(*classes, strict=True)
        columns = {"frame": frames, "label": labels, "class": columns["class"]}
    if probability is not None:
        columns["probability"] = [round(float(probability[label]), 4) for label in classes]
    io.write_csv(path, columns)


def _to_label(text: str, path: str | Path) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UserError(
            "A table of classes names nuclei by their label.",
            f"{path}: {text!r}",
            "Use the whole numbers of the label image, from 1.",
        )
    return int(text)
