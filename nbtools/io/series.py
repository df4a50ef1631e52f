"""Several images in one file, as positions, scenes or fields of view: named, counted, chosen.

Everywhere the word is *series*: a number from 0, or a name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from nbtools.errors import UserError
from nbtools.io.stored import StoredPixels

OWN_AXES = "TCZYXS?"  # axes of one image; along any other axis lie images of their own
SHOWN = 6  # names in a message


def tidy_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names that differ from each other and can be part of a file name.

    Parameters
    ----------
    names : as in the file; empty ones become "s" and their number.

    Examples
    --------
    >>> tidy_names(["Pos 1", "", "A/1/0", "Pos 1"])
    ('Pos_1', 's1', 'A_1_0', 'Pos_1_s3')
    """
    tidy = [_tidy(name) or f"s{i}" for i, name in enumerate(names)]
    counts = Counter(name.casefold() for name in tidy)
    first = {name.casefold(): i for i, name in reversed(list(enumerate(tidy)))}
    return tuple(
        f"{name}_s{i}" if counts[name.casefold()] > 1 and first[name.casefold()] != i else name
        for i, name in enumerate(tidy)
    )


def choose_series(names: Sequence[str], wanted: int | str | None, *, path: Path) -> int:
    """The number of the image that is wanted.

    Parameters
    ----------
    names : of the images in the file, as `tidy_names` gives them.
    wanted : number from 0, or name; None for the first.
    path : of the file, for the message.

    Raises
    ------
    UserError : there is no such image.

    Examples
    --------
    >>> choose_series(("pos1", "pos2"), "POS2", path=Path("a.tif"))
    1
    """
    if wanted is None:
        return 0
    keys = [name.casefold() for name in names]
    if isinstance(wanted, str) and _tidy(wanted).casefold() in keys:
        return keys.index(_tidy(wanted).casefold())
    number = int(wanted) if str(wanted).lstrip("-").isdecimal() else None
    if number is not None and -len(names) <= number < len(names):
        return number % len(names)
    remedy = f"Use a number from 0 to {len(names) - 1}, or a name: {list_names(names)}."
    if len(names) == 1:
        remedy = "It holds one image: leave out the series, or use 0."
    raise UserError("The series must be one of the file's images.", f"{wanted} for {path}", remedy)


def list_names(names: Sequence[str]) -> str:
    """The first names, and how many there are beside."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def refuse_several(path: object, names: Sequence[str]) -> UserError:
    """The error where one of several images must be chosen; the remedy is `series`.

    Parameters
    ----------
    path : of the file.
    names : of its images.
    """
    return UserError(
        "Of several images in one file, one must be chosen, or all.",
        f"{path} with {len(names)} images: {list_names(names)}",
        f'Give series=0, or a name: series="{names[-1]}"; InputOptions(series="all") of a data set '
        "makes each an image of its own.",
        command=f"Add --series 0 (or a name: --series {names[-1]}), or --series all, which makes "
        "each an image of its own.",
    )


def spread(letters: str, shape: Sequence[int]) -> list[tuple[str, tuple]]:
    """The images along axes that one image does not have, such as positions.

    Parameters
    ----------
    letters, shape : of the array in the file.

    Returns
    -------
    For each image its name ("" where it is the only one), and the index of its pixels.

    Examples
    --------
    >>> [(name, index[0]) for name, index in spread("RYX", (2, 8, 9))]
    [('R0', 0), ('R1', 1)]
    """
    found = []
    lengths = [
        range(1) if letter in OWN_AXES else range(n)
        for letter, n in zip(letters, shape, strict=True)
    ]
    for place in product(*lengths):
        pairs = list(zip(letters, place, shape, strict=True))
        name = "_".join(f"{a}{i}" for a, i, n in pairs if a not in OWN_AXES and n > 1)
        index = tuple(slice(None) if a in OWN_AXES else i for a, i, _ in pairs)
        found.append((name, index))
    return found


def keep_own(letters: str) -> str:
    """The axes of one image among those of the file."""
    return "".join(a for a in letters if a in OWN_AXES)


def select(pixels: np.ndarray, letters: str, *, index: tuple) -> tuple[np.ndarray, str]:
    """One of the images that `spread` lists, and its axes."""
    chosen = pixels.view(index) if isinstance(pixels, StoredPixels) else pixels[index]
    return chosen, keep_own(letters)


def require_level(level: int, *, count: int, path: Path) -> None:
    """A UserError where an image has no such level.

    Parameters
    ----------
    level : from 0, the full resolution.
    count : of the levels that there are.
    path : of the image.
    """
    if level >= count:
        raise UserError(
            "A level must be one of those that the image holds.",
            f"level {level} of {path}, which has {count}",
            f"Use 0 to {count - 1}; 0 is the full resolution." if count > 1 else "Use 0.",
        )


def _tidy(name: object) -> str:
    return re.sub(r"[^\w.+-]+", "_", str(name or "")).strip("_.")[:80]
