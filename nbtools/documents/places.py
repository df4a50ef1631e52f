"""Names and files that come from strangers: a name is no path, and a file is a plain file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from nbtools.errors import UserError

LONGEST_NAME = 255  # bytes, what file systems allow


def is_plain_name(name: object) -> bool:
    """Whether a text is the name of a file or folder, and no path.

    Parameters
    ----------
    name : as it stands in a document.

    Examples
    --------
    >>> is_plain_name("embryo 1"), is_plain_name("../embryo"), is_plain_name("")
    (True, False, False)
    """
    if not isinstance(name, str) or name in ("", ".", "..") or "\\" in name:
        return False
    if Path(name).name != name or any(ord(letter) < 32 for letter in name):
        return False
    try:
        return len(name.encode("utf-8")) <= LONGEST_NAME
    except UnicodeEncodeError:  # half of a pair of code units
        return False


def is_special(path: str | os.PathLike) -> bool:
    """Whether something is neither a file nor a folder: a device, a pipe or a socket.

    Parameters
    ----------
    path : links are followed; where nothing is, or the link leads in a circle, False.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def require_plain_file(path: str | os.PathLike) -> None:
    """Require that what is at a path can be opened and read to its end.

    Parameters
    ----------
    path : of a file; a pipe would keep us waiting, and some devices never end.

    Raises
    ------
    UserError : it is a pipe, a device or a socket.
    """
    if is_special(path):
        raise UserError(
            "Only plain files are read.",
            f"{path}, a pipe, device or socket",
            "Copy the content into a file, or take it out of the folder.",
        )


def leaves_folder(path: str | os.PathLike, folder: str | os.PathLike) -> bool:
    """Whether something in a folder is a link to somewhere else.

    Parameters
    ----------
    path : of a file or folder inside `folder`.
    folder : whose own path may well hold links.
    """
    home = os.path.realpath(folder)
    return os.path.commonpath([os.path.realpath(path), home]) != home
