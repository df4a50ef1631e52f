"""A form made from the declarations of settings, where their range and help stand once."""

from __future__ import annotations

import typing
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets

from nbtools.config import Declaration, Settings, check_value
from nbtools.errors import UserError
from nbtools.widgets.common import format_error, make_button, make_html, shorten_range

AUTO = "auto"
NAME_WIDTH = "150px"
FIELD_WIDTH = "320px"


def form(settings: type, *, suggest_from: Any = None) -> Form:
    """Make a form for the settings of a method; its first values are valid.

    Parameters
    ----------
    settings : a method class, or a Settings class.
    suggest_from : a data set; a method with `suggest(dataset)`, which returns {name: value},
        proposes values that suit these images.

    Examples
    --------
    >>> chosen = form(FastNuclei)  # doctest: +SKIP
    >>> chosen.value  # doctest: +SKIP
    FastNucleiSettings(epochs=40, …)
    """
    suggest = getattr(settings, "suggest", None)
    suggested = dict(suggest(suggest_from) or {}) if suggest and suggest_from is not None else {}
    return Form(getattr(settings, "Settings", settings), suggested)


class Form(ipywidgets.VBox):
    """The widget of `form`: one row per setting, basic ones first, advanced ones folded.

    `value` is a Settings; `fields` are the widgets by name.
    """

    def __init__(self, settings: type[Settings], suggested: dict):
        self.settings = settings
        self.start = settings().replace(**suggested)
        self.rows = {
            d.name: Row(self.start, d, suggested=d.name in suggested)
            for d in settings.declarations()
        }
        self.fields = {name: row.field for name, row in self.rows.items()}
        basic = [row for row in self.rows.values() if row.declared.level == "basic"]
        advanced = [row for row in self.rows.values() if row.declared.level != "basic"]
        reset = make_button("Reset", "nb-form-reset", icon="undo")
        reset.on_click(lambda _: self.reset())
        super().__init__([*basic, *([_make_accordion(advanced)] if advanced else []), reset])
        self.add_class("nb-form")

    @property
    def value(self) -> Settings:
        """The current settings; UserError where an entry is not valid."""
        return self.settings(**{name: row.read() for name, row in self.rows.items()})

    def reset(self) -> None:
        """Set all fields to their first values."""
        for name, row in self.rows.items():
            row.write(getattr(self.start, name))


class Row(ipywidgets.VBox):
    """One setting: name, field, unit and range, help, and the error of its entry."""

    def __init__(self, start: Settings, declared: Declaration, *, suggested: bool = False):
        self.declared = declared
        self.field, self.to_entry, self.from_entry = make_field(start, declared)
        self.field.add_class(f"nb-setting-{declared.name}")
        self.message = make_html("nb-form-error")
        self.field.observe(lambda _: self.check(), "value")
        super().__init__(
            [
                ipywidgets.HBox([self.field, ipywidgets.HTML(_format_help(declared, suggested))]),
                self.message,
            ]
        )
        self.add_class("nb-form-row")

    def read(self) -> Any:
        """The entry as the setting's value; UserError where it is not valid."""
        return self.from_entry(self.field.value)

    def write(self, value: Any) -> None:
        """Show a value in the field."""
        self.field.value = self.to_entry(value)

    def check(self) -> None:
        """Show the error of the entry, or clear it."""
        try:
            self.read()
            self.message.value = ""
        except UserError as error:
            self.message.value = format_error(error)


def make_field(
    start: Settings, declared: Declaration
) -> tuple[ipywidgets.Widget, Callable, Callable]:
    """Make the widget that suits a setting.

    Parameters
    ----------
    start : settings with the first values.
    declared : declaration of the setting.

    Returns
    -------
    field : the widget.
    to_entry : function from a value to its entry.
    from_entry : function from an entry to its value.
    """
    name = declared.name
    value = getattr(start, name)
    about = {
        "description": name.replace("_", " "),
        "style": {"description_width": NAME_WIDTH},
        "layout": {"width": FIELD_WIDTH},
    }
    if declared.choices is not None:
        options = [(AUTO, None)] if declared.optional else []
        options += [(str(c), c) for c in declared.choices]
        field = ipywidgets.Dropdown(options=options, value=value, **about)
    elif declared.optional or typing.get_origin(declared.type) is tuple:
        field = ipywidgets.Text(value=_to_text(value), placeholder=AUTO, **about)
        return field, _to_text, lambda text: start.parse([f"{name}={text}"])[name]
    elif declared.type is bool:
        field = ipywidgets.Checkbox(value=value, **about)
    elif declared.type is int:
        field = ipywidgets.IntText(value=value, step=int(declared.step or 1), **about)
    elif declared.type is float:
        field = ipywidgets.FloatText(value=value, step=declared.step, **about)
    else:
        field = ipywidgets.Text(value=value, **about)
    return field, lambda value: value, lambda entry: check_value(declared, entry)


def _to_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_to_text, value))
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _make_accordion(rows: list[Row]) -> ipywidgets.Accordion:
    folded = ipywidgets.Accordion(children=[ipywidgets.VBox(rows)], selected_index=None)
    folded.set_title(0, "Advanced settings")
    folded.add_class("nb-form-advanced")
    return folded


def _format_help(declared: Declaration, suggested: bool) -> str:
    span = " ".join(filter(None, [shorten_range(declared), declared.unit]))
    facts = "; ".join(filter(None, [span, "empty: automatic" if declared.optional else ""]))
    facts = f" <span style='opacity:0.8'>({escape(facts)})</span>" if facts else ""
    mark = " <b>Suggested for your images.</b>" if suggested else ""
    return (
        "<div style='line-height:1.35;padding:4px 8px;max-width:520px'>"
        f"{escape(declared.help)}{facts}{mark}</div>"
    )
