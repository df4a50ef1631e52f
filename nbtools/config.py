"""Settings, each declared once.

Forms, command line, validation, reports and the reference table all read that one declaration.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nbtools import documents
from nbtools.errors import UserError

# names and values of settings in older versions: models, recipes and commands that use them still
# work
RENAMED = {
    "averaging": "ema_decay",
    "closer": "auto_scale",
    "keep": "checkpoint",
    "turns": "tta",
    "unmarked": "without_marker",
}
RENAMED_VALUES = {
    "tta": {"mirrors": "flips", "plane": "flips_and_rot90", "square": "flips_and_rot90_3d"},
}


def translate(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings of an older version, as plain values, under today's names."""
    return {RENAMED.get(name, name): value for name, value in settings.items()}


@dataclass(frozen=True)
class Declaration:
    """The declaration of one setting: type, default, unit, range and help.

    Parameters
    ----------
    help : one sentence for forms and the command line.
    unit : of the value, "" without one.
    min, max, step : range of numbers; whole numbers are also `min` plus a multiple of `step`.
    choices : the only values that are allowed.
    level : "basic" or "advanced".
    name, type, default : filled in from the field of the dataclass.
    optional : None is allowed and means that the value is chosen from the data.
    """

    help: str
    unit: str = ""
    min: float | None = None
    max: float | None = None
    step: float | None = None
    choices: tuple | None = None
    level: str = "basic"  # or "advanced"
    name: str = ""
    type: type = object
    default: object = None
    optional: bool = False  # None is allowed and means: choose from the data


def setting(default: object, **about: object):
    """Declare a setting of a frozen dataclass.

    Parameters
    ----------
    default : value where none is given.
    about : fields of the `Declaration`: help, unit, min, max, step, choices, level.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Training(Settings):
    ...     patch_size: int = setting(64, unit="px", min=16, help="Side of a patch.")
    >>> Training().to_dict()
    {'patch_size': 64}
    """
    return dataclasses.field(default=default, metadata={"declaration": Declaration(**about)})


def vary(base: type[Settings], name: str, **changes: object):
    """Declare a setting as a base class has it, but for its default, range or help.

    Parameters
    ----------
    base : where the setting is declared.
    name : of the setting.
    changes : `default`, and fields of the `Declaration`.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Training(Settings):
    ...     patch_size: int = setting(64, unit="px", min=16, help="Side of a patch.")
    >>> @dataclass(frozen=True)
    ... class Volumes(Training):
    ...     patch_size: int = vary(Training, "patch_size", default=32)
    >>> Volumes.declaration("patch_size").unit
    'px'
    """
    field = base.__dataclass_fields__[name]
    default = changes.pop("default", field.default)
    declared = dataclasses.replace(field.metadata["declaration"], **changes)
    return dataclasses.field(default=default, metadata={"declaration": declared})


@dataclass(frozen=True)
class Settings:
    """Base class of all settings: validated when made, immutable, to and from plain JSON values."""

    def __init_subclass__(cls, parameters: tuple = (), **options):
        """Add a setting for each value that the decoding of a target takes.

        As in `class MySettings(Settings, parameters=Target.parameters)`.
        """
        super().__init_subclass__(**options)
        for parameter in parameters:
            cls.__annotations__[parameter.name] = parameter.type
            setattr(cls, parameter.name, parameter.setting())

    def __post_init__(self):
        for declared in self.declarations():
            object.__setattr__(
                self, declared.name, check_value(declared, getattr(self, declared.name))
            )

    @classmethod
    def declarations(cls) -> list[Declaration]:
        """The declarations, in order, with name, type and default filled in."""
        return list(_list_declarations(cls))

    @classmethod
    def declaration(cls, name: str) -> Declaration:
        """The declaration of one setting.

        Parameters
        ----------
        name : of the setting.

        Raises
        ------
        UserError : there is no such setting; the message lists the known ones.
        """
        known = {d.name: d for d in cls.declarations()}
        name = name if name in known else RENAMED.get(name, name)
        if name not in known:
            raise UserError(
                "A setting must be one of the method's settings.",
                repr(name),
                f"Known: {', '.join(known)}.",
            )
        return known[name]

    @classmethod
    def from_dict(cls, values: dict) -> Settings:
        """Settings from plain values.

        Parameters
        ----------
        values : name → value; settings that are left out keep their default.

        Raises
        ------
        UserError : an unknown name, or a value out of its range.
        """
        return cls(**{cls.declaration(name).name: value for name, value in values.items()})

    def to_dict(self) -> dict:
        """Plain JSON values: numbers, strings, booleans, lists, None."""
        values = {d.name: getattr(self, d.name) for d in self.declarations()}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    def select_known(self, values: Mapping[str, object]) -> dict[str, object]:
        """Those of some values that are settings, in their ranges; others are left aside.

        Parameters
        ----------
        values : name → value, as of decoding; one that is None is left aside, too.

        Raises
        ------
        UserError : a value of another type, or out of its range.
        """
        return {
            declared.name: check_value(declared, values[declared.name])
            for declared in self.declarations()
            if values.get(declared.name) is not None
        }

    def replace(self, **changes) -> Settings:
        """A copy with some settings changed, validated again."""
        return type(self).from_dict({**self.to_dict(), **changes})

    @classmethod
    def parse(cls, pairs: list[str]) -> dict:
        """Changes of settings from the command line.

        Parameters
        ----------
        pairs : texts of the form name=value; ["epochs=5", "filters=16,32"] gives {"epochs": 5,
            "filters": (16, 32)}.

        Returns
        -------
        Name → value in the declared type; only the settings that are named.

        Raises
        ------
        UserError : a text without "=", an unknown name, or a value out of its range.
        """
        changes = {}
        for pair in pairs:
            name, equals, text = pair.partition("=")
            if not equals:
                raise UserError(
                    "A setting is given as name=value.", repr(pair), "Example: --set epochs=5."
                )
            declared = cls.declaration(name.strip())
            changes[declared.name] = check_value(declared, _from_text(declared, text.strip()))
        return changes


def check_value(declared: Declaration, value: object) -> object:
    """The value in its declared type and range.

    Parameters
    ----------
    declared : declaration of the setting.
    value : what was given, of any type.

    Returns
    -------
    The value, converted to the declared type where nothing is lost by it.

    Raises
    ------
    UserError : the value has another type, or is out of its range.

    Examples
    --------
    >>> check_value(Declaration("Side of a patch.", min=16, type=int), 64.0)
    64
    """
    if value is None and declared.optional:
        return None
    if isinstance(value, str):
        value = RENAMED_VALUES.get(declared.name, {}).get(value, value)
    value = _convert(declared, value)
    if declared.choices is not None and value not in declared.choices:
        raise _refusal(declared, value, f"Use one of: {', '.join(map(str, declared.choices))}.")
    for number in value if isinstance(value, tuple) else (value,):
        if declared.min is not None and number < declared.min:
            raise _refusal(declared, value, f"Use at least {declared.min}{_unit(declared)}.")
        if declared.max is not None and number > declared.max:
            raise _refusal(declared, value, f"Use at most {declared.max}{_unit(declared)}.")
        if (
            declared.type is int
            and declared.step
            and (number - (declared.min or 0)) % declared.step
        ):
            raise _refusal(declared, value, f"Use a multiple of {declared.step}{_unit(declared)}.")
    return value


def fast_changes(name: str, settings: Settings) -> dict:
    """Changed settings of a smoke run, from the TOML file that NBTOOLS_FAST names.

    Parameters
    ----------
    name : of a section of the file: a method.
    settings : of a full run. What they have of the section [default] is changed, too.

    Returns
    -------
    Setting → value; {} where NBTOOLS_FAST is not set.

    Raises
    ------
    UserError : NBTOOLS_FAST names a file that does not exist.
    """
    path = os.environ.get("NBTOOLS_FAST", "")
    if not path:
        return {}
    if not Path(path).is_file():
        raise UserError(
            "NBTOOLS_FAST must name an existing TOML file.",
            path,
            "Unset it, or give the path of tests/fast.toml.",
        )
    sections = documents.parse_toml(documents.read_text(path), path)
    known = settings.to_dict()
    usual = {key: value for key, value in sections.get("default", {}).items() if key in known}
    return usual | sections.get(name, {})


def shorten(name: str, settings: Settings) -> Settings:
    """The settings, shortened for a smoke run where NBTOOLS_FAST is set.

    Parameters
    ----------
    name : of the method, and of its section in the TOML file.
    settings : the settings of a full run.

    Returns
    -------
    Settings : the shortened ones, with a warning on standard error; else the given ones.

    Raises
    ------
    UserError : the file names an unknown setting.
    """
    changes = fast_changes(name, settings)
    if not changes:
        return settings
    print(
        f"SMOKE RUN (NBTOOLS_FAST): {name} runs with {json.dumps(changes)}; results will be poor.",
        file=sys.stderr,
    )
    return settings.replace(**changes)


def environment(name: str, default: str = "") -> str:
    """An environment variable; apart from this, only `runtime` reads the environment."""
    return os.environ.get(name, default)


def spell_path(text: str) -> str:
    """A path or command in which the folder of data sets is written as $NBTOOLS_DATA.

    That folder differs from machine to machine; recipes with $NBTOOLS_DATA run on all of them.

    Parameters
    ----------
    text : a path, or a command that holds paths.
    """
    folder = environment("NBTOOLS_DATA").rstrip("/")
    for spelling in {str(Path(folder).resolve()), folder} if folder else ():
        text = text.replace(spelling, "$NBTOOLS_DATA")
    return text


@functools.cache  # asked for with every training patch
def _list_declarations(kind: type[Settings]) -> tuple[Declaration, ...]:
    hints = typing.get_type_hints(kind)
    fields = [f for f in dataclasses.fields(kind) if "declaration" in f.metadata]
    return tuple(_complete(f, hints[f.name]) for f in fields)


def _complete(field: dataclasses.Field, hint: object) -> Declaration:
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if optional:
        hint = next(t for t in typing.get_args(hint) if t is not type(None))
    declared = field.metadata["declaration"]
    return dataclasses.replace(
        declared, name=field.name, type=hint, default=field.default, optional=optional
    )


def _convert(declared: Declaration, value: object) -> object:
    kind = declared.type
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, (tuple, list)):
            raise _refusal(declared, value, "Give a list of numbers.")
        return tuple(_plain(declared, typing.get_args(kind)[0], v) for v in value)
    return _plain(declared, kind, value)


def _plain(declared: Declaration, kind: type, value: object) -> object:
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    if kind in (int, float) and not isinstance(value, (bool, str)):
        try:
            number = kind(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is not None and number == value:
            return number
    raise _refusal(declared, value, f"Give a value of type {kind.__name__}.")


def _from_text(declared: Declaration, text: str):
    if declared.optional and text.lower() in ("none", "auto", ""):
        return None
    if typing.get_origin(declared.type) is tuple:
        kind = typing.get_args(declared.type)[0]
        return tuple(_scalar(declared, kind, t) for t in text.strip("()[]").split(",") if t.strip())
    return _scalar(declared, declared.type, text)


def _scalar(declared: Declaration, kind: type, text: str):
    if kind is bool:
        if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise _refusal(declared, text, "Use true or false.")
        return text.lower() in ("true", "yes", "1")
    try:
        return kind(text.strip())
    except ValueError:
        raise _refusal(declared, text, f"Give a value of type {kind.__name__}.") from None


def _refusal(declared: Declaration, value: object, remedy: str) -> UserError:
    span = (
        f" between {declared.min} and {declared.max}{_unit(declared)}"
        if None not in (declared.min, declared.max)
        else ""
    )
    return UserError(f"Setting {declared.name} must be a valid value{span}.", repr(value), remedy)


def _unit(declared: Declaration) -> str:
    return f" {declared.unit}" if declared.unit else ""
