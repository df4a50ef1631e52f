"""Who divided into whom: the lineage of a movie, as the Cell Tracking Challenge writes it.

A line per track: its number, its first and its last frame, and its parent, 0 without.

References
----------
Ulman et al. 2017, doi:10.1038/nmeth.4473.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.files import write_text

MOST_BYTES = 2**26


def write_lineage(
    path: str | Path, spans: Mapping[int, tuple[int, int]], *, parents: Mapping[int, int]
) -> None:
    """Write the lines "track first last parent" of the Cell Tracking Challenge.

    Parameters
    ----------
    path : of the text file.
    spans : track → its first and its last frame.
    parents : track → parent; tracks without one get 0.
    """
    lines = [
        f"{track} {first} {last} {parents.get(track, 0)}\n"
        for track, (first, last) in sorted(spans.items())
    ]
    write_text(Path(path), "".join(lines))


def read_lineage(path: str | Path) -> dict[int, int]:
    """Track → parent, from the lines "track first last parent" of the Cell Tracking Challenge.

    Parameters
    ----------
    path : of the text file.

    Raises
    ------
    UserError : a line is not four whole numbers.
    """
    parents = {}
    text = documents.read_text(path)
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 4 or not all(word.isdecimal() for word in words):
            raise UserError(
                "A lineage has four whole numbers a line: track, first frame, last frame, parent.",
                f"line {number} of {path}: {line[:60]!r}",
                "Give man_track.txt or res_track.txt of the Cell Tracking Challenge.",
            )
        track, _, _, parent = map(int, words)
        if parent:
            parents[track] = parent
    return parents
