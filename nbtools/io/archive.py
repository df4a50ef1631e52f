"""Folders as zip archives, and the one way to unpack archives of strangers."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from nbtools import documents
from nbtools.errors import UserError
from nbtools.io.files import atomic_write

EARLIEST_TIME = (1980, 1, 1, 0, 0, 0)  # that a zip can hold
GB = 2**30
MOST_BYTES = 200 * GB  # of the files of an archive
MOST_FILES = 1_000_000
SMALL = 2**27  # bytes; archives with less in them are not asked for their ratio
RATIO = 400  # of bytes unpacked for one packed: label images reach 200, bombs 1,000 and more
PIECE = 2**20  # bytes copied at once


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


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Parameters
    ----------
    name : as it stands there.
    size : bytes that it claims to have.
    plain : it is a file, neither link nor device, and not encrypted.
    open : gives its content.
    """

    name: str
    size: int
    plain: bool
    open: Callable[[], BinaryIO]


def unpack(
    archive: str | Path | BinaryIO,
    folder: str | Path,
    *,
    name: str = "",
    most: int = MOST_BYTES,
) -> list[Path]:
    """Unpack a zip or tar archive: all of it inside a folder, or nothing.

    Names, kinds and sizes of all members are looked at before the first is written, and sizes
    again while they are written.

    Parameters
    ----------
    archive : path of the file, or the open file.
    folder : where its files go.
    name : of the archive, for messages.
    most : bytes of all files together.

    Returns
    -------
    Paths of the unpacked files.

    Raises
    ------
    UserError : the archive is broken, encrypted or a bomb, or a member is a link, a device, too
        long a name, or lies outside of `folder`.
    """
    folder = Path(folder)
    name = name or str(archive)
    if isinstance(archive, str | Path):
        documents.require_plain_file(archive)
    try:
        with ExitStack() as stack:
            file = archive
            if isinstance(archive, str | Path):
                file = stack.enter_context(open(archive, "rb"))
            packed = file.seek(0, 2)
            file.seek(0)
            members = list(_limit(_list_members(file, stack), packed, name=name, most=most))
            paths = _require_apart(members, name=name)
            room = shutil.disk_usage(_find_existing(folder)).free
            if sum(member.size for member in members) > room:
                raise _refuse_archive(name, "more bytes than the disk has room for")
            return [
                _write_member(member, folder / path, name=name)
                for member, path in zip(members, paths, strict=True)
            ]
    except UserError:
        raise
    except (*documents.DAMAGES, tarfile.TarError) as error:
        raise UserError(
            "An archive must be whole.",
            f"{name} ({documents.shorten(error if str(error) else type(error).__name__)})",
            "Delete it, and fetch or pack it again.",
        ) from error


def list_zip(file: zipfile.ZipFile, *, name: str, most: int) -> list[Member]:
    """The members of a zip, which claim nothing that a zip of its size cannot hold.

    Parameters
    ----------
    file : open for reading.
    name : of the archive, for messages.
    most : bytes of all members together.

    Raises
    ------
    UserError : a bomb, or an encrypted member.
    """
    packed = sum(member.compress_size for member in file.infolist())
    return list(_limit(_list_zip(file), packed, name=name, most=most))


def _list_members(file: BinaryIO, stack: ExitStack) -> Iterable[Member]:
    if zipfile.is_zipfile(file):
        return _list_zip(stack.enter_context(zipfile.ZipFile(file)))
    file.seek(0)
    return _list_tar(stack.enter_context(tarfile.open(fileobj=file)))


def _list_zip(archive: zipfile.ZipFile) -> Iterable[Member]:
    for info in archive.infolist():
        if not info.is_dir():
            kind = stat.S_IFMT(info.external_attr >> 16)
            plain = kind in (0, stat.S_IFREG) and not info.flag_bits & 1
            yield Member(info.filename, info.file_size, plain, partial(archive.open, info))


def _list_tar(archive: tarfile.TarFile) -> Iterable[Member]:
    for info in archive:
        if not info.isdir():
            plain = info.isreg() and not info.issparse()
            yield Member(info.name, info.size, plain, partial(archive.extractfile, info))


def _limit(members: Iterable[Member], packed: int, *, name: str, most: int) -> Iterable[Member]:
    """The members, as long as what they claim together is possible and wanted."""
    total = count = 0
    for member in members:
        total, count = total + member.size, count + 1
        if not member.plain:
            raise UserError(
                "Files of an archive are plain files: no links, no devices, not encrypted.",
                f"{documents.shorten(repr(member.name))} in {name}",
                "Pack the files themselves, without a password.",
            )
        if total > most or count > MOST_FILES:
            raise _refuse_archive(name, f"more than {most / GB:.3g} GB or {MOST_FILES:,} files")
        if total > SMALL and total > RATIO * max(packed, 1):
            raise _refuse_archive(name, f"{total // max(packed, 1)} bytes for each that is packed")
        yield member


def _require_apart(members: list[Member], *, name: str) -> list[PurePosixPath]:
    """The relative paths of members; none leaves the folder, none is in the way of another."""
    paths = [_to_relative(member.name, name) for member in members]
    files = set(paths)
    if len(files) < len(paths) or any(parent in files for p in paths for parent in p.parents):
        raise _refuse_archive(name, "two files of one name, or a file that is a folder, too")
    return paths


def _to_relative(text: str, name: str) -> PurePosixPath:
    path = PurePosixPath(text.replace("\\", "/"))
    inside = bool(path.parts) and not path.is_absolute() and ":" not in path.parts[0]
    if not inside or not all(map(documents.is_plain_name, path.parts)):
        raise UserError(
            "Files of an archive must stay inside its folder, under names that a disk can hold.",
            f"{documents.shorten(repr(text))} in {name}",
            "Do not use this archive; tell its authors.",
        )
    return path


def _write_member(member: Member, path: Path, *, name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with member.open() as source, open(path, "xb") as target:
        while piece := source.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise _refuse_archive(name, "more bytes than it claims to hold")
            target.write(piece)
    if left:
        raise _refuse_archive(name, "fewer bytes than it claims to hold")
    return path


def _refuse_archive(name: str, received: str) -> UserError:
    remedy = "Pack the images alone, in several archives where they are many."
    return UserError("An archive must be one that can be unpacked.", f"{name}: {received}", remedy)


def _find_existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
