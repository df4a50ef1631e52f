"""Small parts that several widgets share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import ipywidgets
import numpy as np

from nbtools.config import Declaration
from nbtools.data import DataSet
from nbtools.image import Image

# as wide as its words: in a column, a button would be as wide as the page
BUTTON = {"width": "auto", "align_self": "flex-start"}
WIDE = {"width": "520px"}
STYLE = {"description_width": "110px"}
RED = "var(--jp-error-color1,#d32f2f)"  # legible on light and dark pages


def format_error(error: Exception) -> str:
    """Format an error as one red line of HTML."""
    return f"<div style='color:{RED};padding:2px 8px'>{escape(str(error))}</div>"


def format_note(text: str) -> str:
    """Format a text as one line of HTML, in the colour of the page, light or dark."""
    return f"<div style='opacity:0.85;padding:2px 8px;line-height:1.35'>{escape(text)}</div>"


def note_data_set(dataset: DataSet) -> ipywidgets.HTML:
    """One line that names a data set and says what it holds."""
    return ipywidgets.HTML(format_note(f"Data set {dataset.name}: {dataset.describe_content()}"))


def shorten_range(declared: Declaration) -> str:
    """Format the range of a setting in a few characters: "16 to 512", "at least 1", "".

    Parameters
    ----------
    declared : declaration of the setting.

    Examples
    --------
    >>> shorten_range(Declaration(help="", min=16, max=100_000))
    '16 to 100,000'
    """
    low = declared.min
    high = declared.max
    if low is None:
        return "" if high is None else f"at most {high:,.10g}"
    return f"at least {low:,.10g}" if high is None else f"{low:,.10g} to {high:,.10g}"


def with_class(widget: ipywidgets.Widget, name: str) -> ipywidgets.Widget:
    """Give a widget a CSS class, by which tests and pages find it."""
    widget.add_class(name)
    return widget


def make_html(name: str) -> ipywidgets.HTML:
    """An empty HTML widget of this CSS class."""
    return with_class(ipywidgets.HTML(), name)


def make_button(text: str, name: str, *, icon: str = "", tip: str = "") -> ipywidgets.Button:
    """A button of this CSS class, as wide as its words."""
    button = ipywidgets.Button(description=text, icon=icon, tooltip=tip, layout=BUTTON)
    return with_class(button, name)


def make_dropdown(
    text: str, options: list, *, name: str, value: object = None
) -> ipywidgets.Dropdown:
    """A list to choose from, of this CSS class; without `value` the first option is chosen."""
    field = ipywidgets.Dropdown(options=options, description=text, layout=WIDE, style=STYLE)
    if value is not None:
        field.value = value
    return with_class(field, name)


def channels_last(image: Image) -> np.ndarray:
    """The pixels of an image with axis C at the end, added where there is none."""
    return image.to(image.axes.replace("C", "") + "C").pixels


def make_outlines_box(name: str) -> ipywidgets.Checkbox:
    """A box to show or hide the outlines, of this CSS class."""
    return with_class(ipywidgets.Checkbox(value=True, description="outlines", style=STYLE), name)


def make_picture(name: str, width: int) -> ipywidgets.Image:
    """A PNG image widget of this CSS class, `width` pixels wide."""
    return with_class(ipywidgets.Image(format="png", layout={"width": f"{width}px"}), name)


def show_only(panels: Mapping[str, ipywidgets.Widget], name: str) -> None:
    """Show one of several panels."""
    for key, panel in panels.items():
        panel.layout.display = "" if key == name else "none"


def read_uploads(value: Any) -> dict[str, bytes]:
    """Read file names and contents from an upload button.

    Parameters
    ----------
    value : value of the button: a dictionary in ipywidgets 7, a tuple in 8.
    """
    files: Iterable = (
        value.items() if isinstance(value, Mapping) else ((one["name"], one) for one in value)
    )
    return {
        str(name).replace("\\", "/").rsplit("/", 1)[-1]: bytes(one["content"])
        for name, one in files
    }
