"""Tables of image classes under other column names.

Fiji's plugin Qualitative Annotations writes Folder, Image, perhaps Slice, then one column Category
or one column of 0 and 1 per category, and Comment; rows of single ROIs have a column Roi.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from nbtools.errors import UserError

NAMES = ("name", "image", "filename", "file_name", "file", "image_name", "slice")
CLASSES = ("class", "category", "label")
OF_NUCLEI = {"label", "class"}  # columns of a table that lists the nuclei of images
NO_CATEGORY = ("", "folder", "comment", "roi", "index", "mean", "min", "max", "area")


def find_classes(rows: Sequence[dict[str, str]]) -> tuple[list[dict[str, str]], str]:
    """The rows of a table with the columns name and class, or why it has none.

    Parameters
    ----------
    rows : of a table.

    Returns
    -------
    rows, "" : one per image; where the table has the column name, as they are.
    [], reason : a table of something else.

    Examples
    --------
    >>> find_classes([{"Folder": "x", "Image": "a.tif", "G1": "0", "M": "1", "Comment": ""}])
    ([{'name': 'a.tif', 'class': 'M'}], '')
    """
    if not rows or "name" in rows[0]:
        return list(rows), "" if rows else "a table without rows"
    columns = {key.casefold(): key for key in rows[0]}
    if "roi" in columns and any(row[columns["roi"]] for row in rows):
        return [], "its rows are single ROIs; give a class per image, or classes/NAME.csv"
    if columns.keys() >= OF_NUCLEI:
        return [], "its rows are single nuclei; give a class per image, or classes/NAME.csv"
    name = next((columns[n] for n in NAMES if n in columns), None)
    if name is None:
        return [], "a table without a column called name"
    known = next((columns[c] for c in CLASSES if c in columns), None)
    if known is not None and all(row[known].isdecimal() for row in rows):
        return [], "a table of numbers, not of classes of images"
    found = [
        {"name": row[name], "class": row[known] if known else _find_marked(row, rows)}
        for row in rows
    ]
    if any(not row["class"] for row in found):
        return [], "a table without one class for each image"
    return found, ""


def require_one_class(rows: Iterable[tuple[str, str]], path: Path) -> None:
    """Refuse a table that gives two classes to one image or nucleus.

    Parameters
    ----------
    rows : name, and class; "" where a row tells none.
    path : of the table, for errors.

    Raises
    ------
    UserError : two classes of one name.
    """
    known: dict[str, str] = {}
    for name, kind in rows:
        other = known.setdefault(name, kind) if kind else kind
        if other != kind:
            raise UserError(
                "An image has one class in a table.",
                f"{name} as {other} and as {kind} in {path}",
                "Take out the row that is wrong. Classes of nuclei go into classes/NAME.csv.",
            )


def _find_marked(row: dict[str, str], rows: Sequence[dict[str, str]]) -> str:
    """The one column of 0 and 1 that is 1 in this row; "" where it is not one."""
    flags = [
        column
        for column in row
        if column.casefold() not in (*NO_CATEGORY, *NAMES)
        and all(other.get(column) in ("0", "1") for other in rows)
    ]
    marked = [column for column in flags if row[column] == "1"]
    return marked[0] if len(marked) == 1 else ""
