"""Pages made from the package: commands, methods with their settings and passports, tables."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import glossary
import lessons
import readme

from nbtools import cli, methods
from nbtools.cli import common
from nbtools.methods.registry.routes import list_routes

TABLE = re.compile(r"^<!-- table: (\w+) -->$", re.MULTILINE)
OPTION = re.compile(r"<!-- if (\w+) (--\S+) -->\n(.*?)<!-- end if -->\n", re.DOTALL)
ELEMENTS = (
    "explanation",
    "code",
    "documentation",
    "environment",
    "trained_model",
    "training_data",
    "training_code",
    "training_routine",
    "training_documentation",
    "interface",
)


def escape(text: object) -> str:
    """Text for the cell of a table."""
    return str(text).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def row(*cells: object) -> str:
    """One row of a table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def head(*names: str) -> list[str]:
    """The head of a table."""
    return [row(*names), row(*["---"] * len(names))]


def fill(text: str, tables: dict[str, str]) -> str:
    """A page with its tables; parts on an option that a command lacks are left out."""
    text = OPTION.sub(lambda found: found[3] if has_option(found[1], found[2]) else "", text)
    return TABLE.sub(lambda found: tables[found[1]], text)


def has_option(verb: str, option: str) -> bool:
    """Whether a command takes an option."""
    return any(option in action.option_strings for action in list_actions(verb))


def list_actions(verb: str) -> list[argparse.Action]:
    """The arguments of a command, in order."""
    parser = common.Parser(prog=f"nbtools {verb}")
    cli.COMMANDS[verb].declare(parser)
    return [a for a in parser._actions if a.option_strings != ["-h", "--help"]]


def write_tables(stems: list[str]) -> dict[str, str]:
    """The tables that written pages ask for by name."""
    known = [about for about in lessons.describe_all() if about.stem in stems]
    return {
        "lessons": write_lessons(known),
        "plan": write_plan(known),
        "glossary": write_glossary(),
        "times": readme.write_times_note(),
    }


def write_lessons(known: list[lessons.About]) -> str:
    """Lessons: what one can do after each."""
    lines = head("lesson", "after it you can", "level", "needs", "after lesson", "runs in (min)")
    for about in known:
        link = f"[{about.title}](lessons/{about.stem}.ipynb)"
        before = ", ".join(about.after)
        level = readme.LEVELS[about.level]
        lines.append(row(link, about.promise, level, about.needs, before, about.run_minutes))
    return "\n".join(lines)


def write_plan(known: list[lessons.About]) -> str:
    """Lessons: minutes planned in a room, and minutes measured."""
    lines = head("lesson", "plan in the room (min)", "runs in (min, measured)")
    for about in known:
        if about.plan:
            link = f"[{about.title}](lessons/{about.stem}.ipynb)"
            lines.append(row(link, about.plan, about.run_minutes))
    return "\n".join(lines)


def write_glossary() -> str:
    """The glossary, without its heading."""
    sources = sorted(lessons.SOURCES.glob("*.py"))
    page = glossary.write_page(glossary.PAGE.read_text("utf-8"), sources)
    return page.partition("\n")[2]


def write_reference(folder: Path) -> None:
    """Pages on every command and every method."""
    folder.mkdir(parents=True)
    (folder / "commands.md").write_text(write_commands(), "utf-8")
    (folder / "methods.md").write_text(write_methods(), "utf-8")
    (folder / "settings.md").write_text(write_settings(), "utf-8")
    (folder / "passports.md").write_text(write_passports(), "utf-8")


def write_commands() -> str:
    """Every command with its arguments and options."""
    lines = ["# Commands", "", "Every command also takes the options of the last section.", ""]
    for verb, command in cli.COMMANDS.items():
        lines += [f"## nbtools {verb}", "", f"{_sentence(command.help)}", ""]
        lines += [*write_options(list_actions(verb)), ""]
    parser = common.Parser(prog="nbtools")
    common.add_common(parser)
    shared = [a for a in parser._actions if a.option_strings != ["-h", "--help"]]
    return "\n".join([*lines, "## Options of every command", "", *write_options(shared), ""])


def write_options(actions: list[argparse.Action]) -> list[str]:
    """A table of arguments; [] without any."""
    if not actions:
        return ["It takes no arguments."]
    lines = head("argument", "meaning", "default")
    for action in actions:
        default = action.default
        plain = default in (None, False, argparse.SUPPRESS) or default == []
        meaning = (action.help or "").replace("%(default)s", str(default)).replace("%%", "%")
        name = f"`{name_argument(action)}`"
        lines.append(row(name, escape(meaning), "" if plain else f"`{default}`"))
    return lines


def name_argument(action: argparse.Action) -> str:
    """An argument as one types it."""
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    if action.choices and not action.metavar:
        value = ", ".join(str(choice) for choice in action.choices)
    if isinstance(value, tuple):
        value = " ".join(value)
    text = " ".join([", ".join(action.option_strings), value]).strip()
    return text.replace("|", "\\|")


def _sentence(text: str) -> str:
    """A help line as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def list_methods() -> list[dict]:
    """Every method, and the routes that are no method of their own."""
    return [*map(methods.describe, methods.names()), *list_routes()]


def write_methods() -> str:
    """The table of methods."""
    lines = ["# Methods", "", "Settings: [](settings.md). Passports: [](passports.md).", ""]
    lines += head("method", "what it is", "task", "images", "learns from", "paper", "lesson")
    for about in list_methods():
        paper, lesson = about["paper"], Path(about["lesson"]).stem
        cite = f"[{escape(paper['title'])} ({paper['year']})](https://doi.org/{paper['doi']})"
        lines.append(
            row(
                f"`{about['name']}`",
                escape(about["title"]),
                about["task"],
                " and ".join(f"{d}D" for d in about["dims"]),
                ", ".join(about["needs"]),
                cite,
                f"[{lesson.partition('_')[0]}](../lessons/{lesson}.ipynb)",
            )
        )
    return "\n".join([*lines, ""])


def write_settings() -> str:
    """Every setting of every method; those of several stand in each."""
    lines = ["# Settings", "", "As `--set name=value` of `nbtools train`, or in the forms.", ""]
    for name in methods.names():
        declared = methods.get(name).Settings.declarations()
        lines += [f"## {name}", "", f"{escape(methods.describe(name)['title'])}.", ""]
        if not declared:
            lines += ["It has no settings.", ""]
            continue
        lines += head("setting", "meaning", "default", "range", "level")
        for one in declared:
            default = "chosen" if one.default is None else f"`{one.default}`"
            cells = (f"`{one.name}`", escape(one.help), default, write_range(one), one.level)
            lines.append(row(*cells))
        lines.append("")
    return "\n".join(lines)


def write_range(one) -> str:
    """The values that a setting may have."""
    if one.choices:
        return ", ".join(f"`{choice}`" for choice in one.choices)
    if one.min is None and one.max is None:
        return ""
    least = "" if one.min is None else f"{one.min:g}"
    most = "" if one.max is None else f"{one.max:g}"
    return f"{least} to {most} {one.unit}".strip()


def write_passports() -> str:
    """What reuse needs of each method, and where it is."""
    lines = [
        "# Passports",
        "",
        "Ten things that others need to use a method again, after Figure 3A of the review "
        "(Mougeot et al. 2022). Each names a place in the repository; a dash means that it is "
        "missing. `README.md#nothing-to-train` stands where nothing is learned.",
        "",
    ]
    for about in list_methods():
        lines += [f"## {about['name']}", "", *head("element", "place")]
        for element in ELEMENTS:
            place = about["passport"].get(element)
            lines.append(row(element.replace("_", " "), f"`{place}`" if place else "–"))
        lines.append("")
    return "\n".join(lines)
