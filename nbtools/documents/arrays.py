"""Arrays from npz files: the only reader, with one list of what can go wrong.

What a file claims is held against the bytes that are there before any memory is taken: an array's
header against the size of its member, that against what deflation can give at best, and the sum
against a limit. Nothing is unpickled.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nbtools.documents.places import require_plain_file
from nbtools.documents.text import shorten
from nbtools.errors import UserError

GB = 2**30
SUFFIX = ".npy"
BEST_RATIO = 1040  # of deflation, which gives at most 1032 bytes for one
MOST_MEMBERS = 100_000
LONGEST_TEXT = 1024  # bytes of a text, in files that may hold one
NUMBERS = "biuf"
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
DAMAGES: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
    RuntimeError,  # encrypted members
    NotImplementedError,  # unknown compression
    RecursionError,
    SyntaxError,  # a header that is no literal
    struct.error,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
)


class Damaged(Exception):
    """What is wrong with a file, in a few words; becomes a UserError where it is read."""


DAMAGES = (*DAMAGES, Damaged)


@dataclass(frozen=True)
class ArrayFile:
    """What a file of arrays must be, and how it is read.

    Parameters
    ----------
    rule : of the error; `{name}` becomes the name of the file.
    remedy : of the error.
    kinds : letters of NumPy's kinds of types that it may hold; "U" stands for a short text.
    finite : no NaN and no infinity.
    most : bytes of all arrays together.
    """

    rule: str
    remedy: str
    kinds: str = NUMBERS
    finite: bool = False
    most: int = 4 * GB

    def read(
        self,
        path: str | Path,
        *,
        names: Iterable[str] | None = None,
        shapes: list[tuple[int, ...]] | None = None,
    ) -> dict[str, np.ndarray]:
        """Read arrays by name.

        Parameters
        ----------
        path : of the npz file.
        names : of the arrays to read, which must be there; all where it is None.
        shapes : of the arrays in the order of their names, where these are known; a file that
            says otherwise is not read.

        Raises
        ------
        UserError : the file is missing, damaged, too large, or holds something else.
        """
        path = Path(path)
        require_plain_file(path)
        try:
            with zipfile.ZipFile(path) as archive:
                members = self._list_members(archive, path.stat().st_size)
                if shapes is not None:
                    _require_shapes(archive, members, shapes)
                chosen = list(members) if names is None else list(names)
                arrays = {name: _read_array(archive, members[name]) for name in chosen}
            if self.finite:
                _require_finite(arrays)
        except UserError:
            raise
        except DAMAGES as error:
            reason = shorten(error if str(error) else type(error).__name__, most=120)
            if isinstance(error, KeyError):
                reason = f"without {reason}"
            raise UserError(
                self.rule.format(name=path.name), f"{path} ({reason})", self.remedy
            ) from error
        return arrays

    def _list_members(self, archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
        """The members that hold an array, by name, once all that they claim has been checked."""
        found: dict[str, zipfile.ZipInfo] = {}
        if len(archive.infolist()) > MOST_MEMBERS:
            raise Damaged(f"more than {MOST_MEMBERS} arrays")
        for member in archive.infolist():
            name = member.filename.removesuffix(SUFFIX)
            if name == member.filename or name in found:
                raise Damaged(f"{shorten(repr(member.filename))} is no array of its own")
            _require_honest(member, size)
            found[name] = member
        if sum(m.file_size for m in found.values()) > self.most:
            raise Damaged(f"more than {self.most / GB:g} GB of arrays")
        for member in found.values():
            with archive.open(member) as file:
                self._require_header(file, member)
        return found

    def _require_header(self, file: BinaryIO, member: zipfile.ZipInfo) -> None:
        shape, dtype = _read_header(file)
        name = shorten(repr(member.filename))
        if dtype.hasobject or dtype.names or dtype.subdtype or dtype.kind not in self.kinds:
            raise Damaged(f"{name} holds {shorten(dtype, most=30)}, not numbers")
        if dtype.kind == "U" and (shape or dtype.itemsize > LONGEST_TEXT):
            raise Damaged(f"{name} holds a long text")
        if math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise Damaged(f"{name} claims a shape of {shorten(shape, most=40)}, which it lacks")


WEIGHTS = ArrayFile(
    "A model needs its file {name}, whole.", "Copy the whole model folder again.", finite=True
)


def _require_honest(member: zipfile.ZipInfo, size: int) -> None:
    name = shorten(repr(member.filename))
    if member.flag_bits & 1:
        raise Damaged(f"{name} is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Damaged(f"{name} has an unknown compression")
    if member.compress_size > size or member.file_size > BEST_RATIO * max(member.compress_size, 1):
        raise Damaged(f"{name} claims more bytes than it can hold")


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise Damaged(f"an array of format {version}")
    shape, _, dtype = HEADERS[version](file)
    if any(n < 0 for n in shape) or len(shape) > 32:
        raise Damaged(f"a shape of {shorten(shape)}")
    return shape, dtype


def _require_shapes(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], shapes: list[tuple[int, ...]]
) -> None:
    held = []
    for name in sorted(members):
        with archive.open(members[name]) as file:
            held.append(_read_header(file)[0])
    if held != shapes:
        differs = f"{len(held)} arrays for {len(shapes)} weights"
        if len(held) == len(shapes):
            one, other = next((a, b) for a, b in zip(held, shapes, strict=True) if a != b)
            differs = f"an array of shape {one} for a weight of shape {other}"
        raise UserError(
            "Weights must fit the network of model.json.",
            f"{archive.filename} with {differs}",
            f"Keep model.json and {Path(str(archive.filename)).name} of one training together.",
        )


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _require_finite(arrays: dict[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Damaged(f"{shorten(repr(name))} holds NaN or infinity")
