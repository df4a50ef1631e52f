"""Pack a folder into a zip, and offer it for download in the page."""

from __future__ import annotations

import base64
import os
from html import escape
from itertools import chain, count
from pathlib import Path

import ipywidgets

from nbtools import io, runtime
from nbtools.errors import UserError
from nbtools.io.folders import is_written_by_us
from nbtools.widgets.common import format_error, format_note, make_button, make_html

MOST = 64 * 2**20  # bytes that a link in the page carries; beyond, browsers refuse


def download(folder: str | Path) -> Download:
    """Pack a folder into a zip beside it, and offer it: a link, or a button on Colab.

    Parameters
    ----------
    folder : folder to pack.

    Examples
    --------
    >>> download("runs/workbench_segment/model").value  # doctest: +SKIP
    PosixPath('runs/workbench_segment/model.zip')
    """
    return Download(Path(folder))


class Download(ipywidgets.VBox):
    """The widget of `download`: `value` is the zip file, `link` or `button` offers it."""

    def __init__(self, folder: Path):
        folder = folder.absolute()
        self.value = io.write_zip(find_place(folder), folder)
        io.add_to_mark(self.value.parent, [self.value])
        size = self.value.stat().st_size
        text = f"Download {self.value.name} ({size / 2**20:.1f} MB)"
        self.link = make_html("nb-download-link")
        self.place = make_html("nb-download-place")
        self.button = make_button(text, "nb-download-button", icon="download")
        self.button.on_click(lambda _: self._fetch())
        self.place.value = format_note(f"The zip is {self.value}")
        if not runtime.is_colab() and size <= MOST:
            self.link.value = _make_link(self.value, text)
        elif not runtime.is_colab():
            self.place.value = format_note(
                f"Too large for a link in a page ({size / 2**20:.0f} MB): fetch {self.value} in "
                "the list of files."
            )
        super().__init__([self.button if runtime.is_colab() else self.link, self.place])
        self.add_class("nb-download")

    def _fetch(self) -> None:
        try:
            runtime.send_to_browser(self.value)
        except UserError as error:
            self.place.value = format_error(error)


def find_place(folder: Path) -> Path:
    """The zip beside a folder: one that we wrote is replaced, one of the user is not.

    Parameters
    ----------
    folder : to be packed.

    Returns
    -------
    Path : FOLDER.zip, or with a number behind it.
    """
    names = chain([f"{folder.name}.zip"], (f"{folder.name}_{i}.zip" for i in count(2)))
    places = (folder.with_name(name) for name in names)
    return next(p for p in places if not os.path.lexists(p) or is_written_by_us(p))


def _make_link(path: Path, text: str) -> str:
    """A link that holds the file, so that no server needs to find it."""
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    # pages of notebooks give links in widgets no look of their own
    look = "color:var(--jp-content-link-color,#0072B2);text-decoration:underline"
    href = f"data:application/zip;base64,{content}"
    return (
        f"<a download='{escape(path.name, quote=True)}' href='{href}' "
        f"style='{look}'>{escape(text)}</a>"
    )
