"""Why an image of a batch was left out."""

from __future__ import annotations

from nbtools import io
from nbtools.errors import UserError


def describe_failure(error: Exception) -> str:
    """Why an image was left out: rule, received, remedy; a bug is called one."""
    if isinstance(error, UserError):
        return str(error.for_command_line())
    if isinstance(error, MemoryError):
        return "An image must fit into the memory. Close other programs, or cut the image."
    if isinstance(error, OSError):
        return f"A file could not be read or written: {error.strerror or error}."
    reason = f"{type(error).__name__}: {io.find_reason(error)}"
    return f"This is a bug in nbtools, not yours ({reason}). Please report it with --debug."


def require_readable(name: str) -> None:
    """A UserError where a name is no text, and could not be written into tables."""
    if make_readable(name) != name:
        raise UserError(
            "The name of an image must be readable text.",
            make_readable(name),
            "Rename the file: its name is in the encoding of another system.",
        )


def make_readable(name: str) -> str:
    """A name with question marks for bytes that are no text."""
    return name.encode("utf-8", "replace").decode("utf-8")
