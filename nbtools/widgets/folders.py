"""Choose a folder from a list, or by pasting its path."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

import ipywidgets

from nbtools import io
from nbtools.errors import UserError
from nbtools.widgets.common import WIDE, format_error, make_html, with_class

MOST = 500  # entries listed; beyond, a path is quicker pasted than found


class FolderBrowser(ipywidgets.VBox):
    """A list of the folders inside the chosen `folder`, and a field for a path."""

    def __init__(self, start: str | Path):
        self.folder = Path(start).expanduser().absolute()
        self.list = with_class(ipywidgets.Select(rows=8, layout=WIDE), "nb-folder-list")
        text = "or paste the path of a folder here"
        self.path = with_class(
            ipywidgets.Text(placeholder=text, continuous_update=False, layout=WIDE),
            "nb-folder-path",
        )
        self.place = make_html("nb-folder-place")
        self._callbacks: list[Callable[[], None]] = []
        self._filling = False
        super().__init__([self.place, self.list, self.path])
        self.add_class("nb-folder")
        self._fill()
        self.list.observe(lambda change: self._filling or self.go(change["new"]), "value")
        self.path.observe(
            lambda change: change["new"].strip() and self.go(change["new"].strip()), "value"
        )

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call a function whenever another folder is chosen."""
        self._callbacks.append(callback)

    def go(self, folder: str | Path) -> None:
        """Choose a folder; an error is shown in the widget."""
        folder = Path(str(folder).strip("\"'")).expanduser()
        if not folder.is_dir():
            error = UserError(
                "A folder must exist.", folder, "Check the path, or click through the list."
            )
            self.place.value = format_error(error)
            return
        self.folder = folder.absolute()
        self._fill()
        for callback in self._callbacks:
            callback()

    def _fill(self) -> None:
        """List what is in the folder; this change of the list's value is no click."""
        self._filling = True
        try:
            inside = list_folders(self.folder)
            up = (
                [("⬆ one level up", str(self.folder.parent))]
                if self.folder.parent != self.folder
                else []
            )
            self.list.options = [
                ("✓ this folder", str(self.folder)),
                *up,
                *((f"{p.name}/", str(p)) for p in inside),
            ]
            self.list.value = str(self.folder)
            self.place.value = (
                f"<div style='padding:2px 8px'><b>{escape(str(self.folder))}</b>: "
                f"{count_images(self.folder)}</div>"
            )
        finally:
            self._filling = False


def list_folders(folder: Path) -> list[Path]:
    """The folders inside one, by name, without hidden ones; none where it cannot be read."""
    try:
        inside = [p for p in folder.iterdir() if not p.name.startswith((".", "__")) and p.is_dir()]
    except OSError:
        return []
    return sorted(inside, key=lambda p: p.name.lower())[:MOST]


def count_images(folder: Path) -> str:
    """Describe how many image files and folders are in a folder."""
    try:
        count = sum(io.is_image(p) and not p.name.startswith(".") for p in folder.iterdir())
    except OSError:
        return "cannot be read"
    return (
        f"{count or 'no'} image file{'' if count == 1 else 's'}, {len(list_folders(folder))} "
        "folders"
    )
