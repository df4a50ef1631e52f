"""The reference of public functions and classes, from their docstrings."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path
from types import ModuleType

import nbtools

SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
LISTS = ("Parameters", "Attributes", "Raises")
HIDDEN = ("cli",)  # its reference is the page of commands


def write(folder: Path) -> None:
    """A page per room of the package, and one that leads to them."""
    rooms = [room for room in nbtools._ROOMS if room not in HIDDEN]
    for room in rooms:
        (folder / f"nb_{room}.md").write_text(write_room(room), "utf-8")
    names = "\n".join(f"nb_{room}" for room in rooms)
    text = (
        "# Reference\n\n```{toctree}\n:maxdepth: 1\n\ncommands\nmethods\nsettings\npassports\n```"
        "\n\n## In Python\n\nAfter `import nbtools as nb`, by room.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"
    )
    (folder / "index.md").write_text(text, "utf-8")


def write_room(room: str) -> str:
    """One page: what a room is for, and all that it offers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = getattr(nbtools, room)
    parts = [f"# nb.{room}", "", write_docstring(inspect.getdoc(module) or "")]
    for name in list_public(module):
        parts += ["", write_one(f"nb.{room}.{name}", getattr(module, name))]
    return "\n".join(parts) + "\n"


def list_public(module: ModuleType) -> list[str]:
    """Functions and classes that a room offers: its __all__, or what it defines."""
    names = getattr(module, "__all__", None) or vars(module)
    found = []
    for name in names:
        value = getattr(module, name)
        described = inspect.isfunction(value) or inspect.isclass(value)
        own = getattr(value, "__module__", "").startswith(module.__name__)
        listed = hasattr(module, "__all__")
        if described and not name.startswith("_") and (listed or own):
            found.append(name)
    return sorted(found, key=str.lower)


def write_one(name: str, value) -> str:
    """One function or class: signature, docstring, and the methods of a class."""
    parts = [f"## {name}", "", f"```python\n{write_signature(name, value)}\n```", ""]
    parts.append(write_docstring(inspect.getdoc(value) or ""))
    if inspect.isclass(value):
        for key, member in vars(value).items():
            plain = inspect.unwrap(getattr(member, "__func__", member))
            if inspect.isfunction(plain) and not key.startswith("_") and inspect.getdoc(plain):
                shown = write_signature(key, plain)
                parts += ["", f"### {name}.{key}", "", f"```python\n{shown}\n```", ""]
                parts.append(write_docstring(inspect.getdoc(plain)))
    return "\n".join(parts)


def write_signature(name: str, value) -> str:
    """The call, a parameter a line where it is long."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # built in C
        return name
    whole = _tidy(f"{name}{signature}")
    if len(whole) <= 88:
        return whole
    inside = [_tidy(str(parameter)) for parameter in signature.parameters.values()]
    star = [n for n, p in enumerate(signature.parameters.values()) if p.kind is p.KEYWORD_ONLY]
    if star:
        inside.insert(star[0], "*")
    lines = "".join(f"    {one},\n" for one in inside)
    return f"{name}(\n{lines})"


def _tidy(text: str) -> str:
    """A signature as it is written: no quotes around hints, no addresses, names of functions."""
    text = re.sub(r"<function [\w.]*<lambda> at 0x[0-9a-f]+>", "...", text)
    text = re.sub(r"<(?:class|function) '?([\w.]+)'?(?: at 0x[0-9a-f]+)?>", r"\1", text)
    text = re.sub(r"(: |-> )'([^']+)'", r"\1\2", text)
    return re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>", "...", text)


def write_docstring(text: str) -> str:
    """A docstring in NumPy form as Markdown."""
    pieces = SECTION.split(text)
    parts = [_escape(pieces[0].strip())]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        body = inspect.cleandoc("\n" + body)
        parts += ["", f"**{title}**", "", _write_section(title, body)]
    return "\n".join(parts)


def _write_section(title: str, body: str) -> str:
    if title == "Examples":
        return f"```python\n{body}\n```"
    if title in LISTS:
        return "\n".join(_write_entries(body))
    return _escape(body)


def _write_entries(body: str) -> list[str]:
    """`name : meaning`, with lines that go on indented, as a list."""
    lines = []
    for line in body.splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += f" {_escape(line.strip())}"
        elif " : " in line:
            name, meaning = line.split(" : ", 1)
            lines.append(f"- `{name}`: {_escape(meaning)}")
        elif line.strip():
            lines.append(f"- {_escape(line)}")
    return lines


def _escape(text: str) -> str:
    """Text whose stars, brackets and angles stand for themselves, outside of code."""
    spans = re.split(r"(`+[^`]*`+)", text)
    for place in range(0, len(spans), 2):
        spans[place] = re.sub(r"([*<\[\]{}|])", r"\\\1", spans[place])
        spans[place] = re.sub(r"^(\s*)([#>+=-])", r"\1\\\2", spans[place], flags=re.MULTILINE)
    return "".join(spans).replace("\n    ", "\n")
