"""What is known of each lesson: promise, level, prerequisites, and how long it ran; used by
readme.py and by the site.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
DECLARED = HERE / "lessons.toml"
TIMES = HERE / "run_times.json"
LEVELS = ("first", "second", "own")


@dataclass(frozen=True)
class About:
    """A lesson as a table shows it.

    Parameters
    ----------
    stem, title, promise : file name without suffix, first heading, and what one can do after it.
    level : first, second or own.
    needs : beyond any computer with two cores; "" for nothing.
    after : numbers of lessons that should come before.
    plan : minutes that a course allows for it, None for a workbench.
    seconds : of running, measured; None where it was not.
    """

    stem: str
    title: str
    promise: str
    level: str
    needs: str = ""
    after: tuple[str, ...] = ()
    plan: int | None = None
    seconds: float | None = None

    @property
    def run_minutes(self) -> str:
        """Minutes of running, in words of a table."""
        if self.seconds is None:
            return "not measured"
        return f"{self.seconds / 60:.1f}"


def describe_all(sources: list[Path] | None = None) -> list[About]:
    """Every lesson and workbench, in course order."""
    declared = tomllib.loads(DECLARED.read_text("utf-8"))
    times = read_times()["seconds"]
    return [
        describe(source, declared.get(source.stem, {}), times.get(source.stem))
        for source in sources or sorted(SOURCES.glob("*.py"))
    ]


def describe(source: Path, declared: dict, seconds: float | None) -> About:
    """One lesson from its source, what is declared of it, and its seconds."""
    text = source.read_text("utf-8")
    title = re.search(r"^# # (.+)$", text, re.MULTILINE)
    promise = re.search(r"\*\*You will be able to\*\* (.+?)[.:]", text.replace("\n# ", " "))
    return About(
        source.stem,
        title[1].strip() if title else source.stem,
        promise[1] if promise else "",
        declared.get("level", "second"),
        declared.get("needs", ""),
        tuple(declared.get("after", ())),
        declared.get("plan"),
        seconds,
    )


def read_times() -> dict:
    """Measured seconds by lesson, and on what: {"machine", "fast", "date", "seconds"}."""
    if not TIMES.is_file():
        return {"machine": "", "fast": False, "date": "", "seconds": {}}
    return json.loads(TIMES.read_text("utf-8"))


def write_times(course: Path, *, machine: str, date: str) -> None:
    """Keep the seconds of a course that ran to its end; lessons that it left out keep theirs."""
    document = json.loads(course.read_text("utf-8"))
    done = {row["name"]: row["seconds"] for row in document["lessons"] if row["ok"]}
    seconds = dict(sorted((read_times()["seconds"] | done).items()))
    kept = {"machine": machine, "fast": document["fast"], "date": date, "seconds": seconds}
    text = json.dumps(kept, indent=1, ensure_ascii=False)
    TIMES.write_text(text + "\n", "utf-8")


def check() -> list[str]:
    """What lessons.toml says wrongly."""
    declared = tomllib.loads(DECLARED.read_text("utf-8"))
    stems = {source.stem for source in SOURCES.glob("*.py")}
    numbers = {stem.partition("_")[0] for stem in stems}
    problems = [
        f"lessons.toml: every lesson must be described. Received: none of {stem}."
        for stem in sorted(stems - set(declared))
    ]
    for stem, table in declared.items():
        if table.get("level") not in LEVELS:
            problems.append(f"lessons.toml: level must be one of {LEVELS}. Received: {stem}.")
        unknown = sorted(set(table.get("after", ())) - numbers)
        problems += [f"lessons.toml: {stem} comes after a lesson, not {name}." for name in unknown]
    return problems
