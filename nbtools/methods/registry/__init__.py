"""The table of methods: what each is, whom to cite, where to learn it; one table per task.

Reading it loads nothing else.
"""

from __future__ import annotations

from nbtools.errors import UserError
from nbtools.methods.registry import (
    boxes,
    classification,
    detection,
    few_labels,
    imported,
    instances,
    restoration,
    semantic,
    translation,
)
from nbtools.methods.registry.row import Paper, Row

__all__ = ["RENAMED", "ROWS", "Paper", "Row", "find_row"]

TABLES = (
    instances,
    semantic,
    detection,
    boxes,
    restoration,
    classification,
    few_labels,
    translation,
)
ROWS = tuple(row for table in TABLES for row in table.ROWS)
RENAMED = {
    "planned": "nnunet_planned"
}  # names of older versions, which models and recipes still have


def find_row(name: str) -> Row:
    """Find a method in the table.

    Parameters
    ----------
    name : of the method; names of older versions work, too.

    Raises
    ------
    UserError : there is no method of this name.

    Examples
    --------
    >>> find_row("planned").name
    'nnunet_planned'
    """
    for row in (*ROWS, *imported.ROWS):
        if row.name == RENAMED.get(name, name):
            return row
    known = ", ".join(row.name for row in ROWS)
    raise UserError(
        "A method must be one of the table.", repr(name), f"Known: {known}. See `nbtools methods`."
    )
