"""Folders as zip archives."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from nbtools.errors import UserError
from nbtools.io.files import atomic_write

EARLIEST_TIME = (1980, 1, 1, 0, 0, 0)  # that a zip can hold


def write_zip(path: str | Path, folder: str | Path) -> Path:
    """Pack a folder into a zip, whole or not at all.

    Unpacked, it is one folder of the same name. The same files give the same bytes on any day.

    Parameters
    ----------
    path : of the zip.
    folder : to pack; hidden files are left out.

    Returns
    -------
    Path : of the zip.

    Raises
    ------
    UserError : no such folder, or an empty one.

    Examples
    --------
    >>> from nbtools.io.files import write_text
    >>> write_text("runs/model/notes.txt", "done")
    >>> write_zip("runs/model.zip", "runs/model").name
    'model.zip'
    """
    path = Path(path)
    folder = Path(folder).absolute()
    files = {
        file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()
    }
    shown = sorted(
        name for name in files if "/." not in f"/{name}" and files[name] != path.absolute()
    )
    if not shown:
        raise UserError(
            "There must be something to pack.",
            f"{folder}, which is empty or missing",
            "Save the model or the result first.",
        )
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in shown:
            entry = zipfile.ZipInfo(f"{folder.name}/{name}", EARLIEST_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            with (
                files[name].open("rb") as content,
                archive.open(entry, "w", force_zip64=files[name].stat().st_size > 2**31) as place,
            ):
                shutil.copyfileobj(content, place, 2**20)
    return path
