"""All attacks one after the other, and the tables of counts in README.md beside this file.

python tests/reliability/run.py                    all of them, with their tables
python tests/reliability/run.py --table            and write the tables into README.md
python tests/reliability/run.py --only kills       one script

Each script also runs alone, with numbers of its own; it ends with 1 where anything failed.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(__file__).resolve().parent
README = PLACE / "README.md"


@dataclass(frozen=True)
class Suite:
    """A script of attacks.

    Parameters
    ----------
    title : what is attacked, for the first table of the README.
    command : script and its words, in this folder.
    """

    title: str
    command: str

    @property
    def name(self) -> str:
        """Name of the place of its table in the README."""
        return re.sub(r"\W+", "_", self.command.replace(".py", "")).strip("_")


SUITES = (
    Suite("documents, archives, names and words of strangers", "hostile_documents.py"),
    Suite("files of every kind with other bytes", "mutated_files.py"),
    Suite("damaged checkpoints", "mutated_files.py 30 --only checkpoint"),
    Suite("files of the user where a verb writes", "overwriting.py"),
    Suite("kills of trainings and predictions", "kills.py"),
    Suite("kills of a decoding that changes a result", "kills_of_decode.py"),
    Suite("images beyond the memory", "beyond_memory.py"),
)


def run(suite: Suite) -> tuple[str, bool]:
    """Run a script; its table, and whether all went well."""
    script, *words = shlex.split(suite.command)
    done = subprocess.run([sys.executable, PLACE / script, *words], stdout=subprocess.PIPE)
    text = done.stdout.decode()
    print(f"{suite.title}\n\n{text}", flush=True)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return "\n".join(lines), done.returncode == 0


def count(table: str) -> int:
    """The attacks of a table: the first numbers of its rows, without the row of all."""
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    cells = [row[1] for row in rows if row[0].strip(" `") != "all"]
    return sum(int(cell) for cell in cells)


def put(text: str, name: str, content: str) -> str:
    """A text with other content between the marks of a name."""
    start, stop = f"<!-- {name} -->", "<!-- end -->"
    head, found, rest = text.partition(start)
    if not found:
        raise SystemExit(f"README.md must have a place {start} … {stop}.")
    return f"{head}{start}\n{content}\n{stop}{rest.partition(stop)[2]}"


def summarize(found: dict[Suite, tuple[str, bool]], text: str) -> str:
    """The first table: attacks, numbers, and the command of each; rows not run stay."""
    lines = ["| attacks | number | faults | command |", "| --- | --: | --- | --- |"]
    for suite in SUITES:
        row = f"| {suite.title} |"
        before = next((line for line in text.splitlines() if line.startswith(row)), f"{row} | | |")
        if suite in found:
            table, well = found[suite]
            command = f"`python tests/reliability/{suite.command}`"
            before = f"{row} {count(table)} | {'none' if well else 'see below'} | {command} |"
        lines.append(before)
    return "\n".join(lines)


def main() -> None:
    """Run the scripts; 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="write the tables into README.md")
    parser.add_argument("--only", nargs="+", default=[], help="beginnings of scripts")
    args = parser.parse_args()
    chosen = [s for s in SUITES if not args.only or s.command.startswith(tuple(args.only))]
    found = {suite: run(suite) for suite in chosen}
    if args.table:
        text = README.read_text("utf-8")
        for suite, (table, _) in found.items():
            text = put(text, suite.name, table)
        README.write_text(put(text, "summary", summarize(found, text)), "utf-8")
    sys.exit(not all(well for _, well in found.values()))


if __name__ == "__main__":
    main()
