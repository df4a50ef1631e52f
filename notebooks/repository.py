"""Where the repository is to be found, and what nothing may say as long as nobody knows.

The address stands in one place, `[tool.nbtools]` of pyproject.toml. Where it is empty, `make
notebooks` finds it out (from the environment of continuous integration, or from `git remote`) and
writes it there; without any, badges and links are left out.

python notebooks/repository.py
    the release check: address, branch and release are told, and no placeholder is left
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"
PLACEHOLDER = "OWNER/REPOSITORY"
ADDRESS = re.compile(r"github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?$")
NAME = re.compile(r"[\w.-]+/[\w.-]+")
SOURCE = re.compile(rf"nbtools(\[\w+\])? @ git\+https://github\.com/{PLACEHOLDER}")
SHOWN = ("README.md", "CITATION.cff", "notebooks/*.ipynb", "docs/*.md")
UNFINISHED = re.compile(rf"{PLACEHOLDER}|\bTODO\b|\bFIXME\b|\bTBD\b")


@dataclass(frozen=True)
class Repository:
    """Where others get the course.

    Parameters
    ----------
    name : OWNER/NAME on GitHub; "" where nobody knows.
    branch : that badges open.
    release : tag that install cells name; "" before the first release, which makes it the branch.
    """

    name: str = ""
    branch: str = "main"
    release: str = ""


def read(path: Path = PYPROJECT) -> Repository:
    """The address as it is recorded."""
    table = tomllib.loads(path.read_text("utf-8"))["tool"]["nbtools"]
    return Repository(table["repository"], table["branch"], table["release"])


def find(environment: dict | None = None, folder: Path = ROOT) -> str:
    """OWNER/NAME from continuous integration or from `git remote`; "" where neither knows."""
    environment = os.environ if environment is None else environment
    named = environment.get("GITHUB_REPOSITORY", "")
    if NAME.fullmatch(named):
        return named
    command = ["git", "-C", str(folder), "remote", "get-url", "origin"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    found = ADDRESS.search(answer.stdout.strip())
    return found[1] if found else ""


def record(path: Path = PYPROJECT, *, found: str) -> Repository:
    """Write an address where none is recorded; one that is there stays."""
    known = read(path)
    if known.name or not found:
        return known
    text = path.read_text("utf-8")
    path.write_text(text.replace('repository = ""', f'repository = "{found}"', 1), "utf-8")
    return read(path)


def read_version() -> str:
    """Version of the package, without importing it."""
    text = (ROOT / "nbtools" / "__init__.py").read_text("utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


def wheel_name() -> str:
    """Name of the wheel that `pip wheel` makes of this version."""
    return f"nbtools-{read_version()}-py3-none-any.whl"


def fill(text: str, known: Repository) -> str:
    """A lesson's source with the place that its install cell installs from.

    That is the release, before the first one the branch, and where the address is not known a wheel
    that lies beside the notebook: never the package index, where this name is another project's.
    """

    def place(found: re.Match) -> str:
        extra = found[1] or ""
        if not known.name:
            return f"./{wheel_name()}{extra}"
        tag = known.release or known.branch
        return f"nbtools{extra} @ git+https://github.com/{known.name}@{tag}"

    return SOURCE.sub(place, text)


def unfill(text: str) -> str:
    """The source of a filled lesson."""
    address = r"nbtools(\[\w+\])? @ git\+https://github\.com/[\w.-]+/[\w.-]+?@[\w.-]+(?=\")"
    wheel = r"\./nbtools-[\w.]+-py3-none-any\.whl(\[\w+\])?(?=\")"
    template = rf"nbtools\1 @ git+https://github.com/{PLACEHOLDER}"
    return re.sub(wheel, template, re.sub(address, template, text))


def list_unfinished(root: Path = ROOT) -> list[str]:
    """Placeholders on pages and in notebooks that people read."""
    problems = []
    for pattern in SHOWN:
        for path in sorted(root.glob(pattern)):
            found = sorted(set(UNFINISHED.findall(path.read_text("utf-8"))))
            name = path.relative_to(root).as_posix()
            problems += [f"{name}: no placeholder may be left. Received: {word}." for word in found]
    return problems


def check_release(known: Repository, *, found: str) -> list[str]:
    """What stands in the way of a release."""
    problems = []
    version = read_version()
    if not known.name:
        problems.append(
            "pyproject.toml: a release must say where it is to be found. Received: no repository. "
            "Run make notebooks in a clone whose origin is on GitHub, or write OWNER/NAME there."
        )
    elif found and found != known.name:
        problems.append(
            f"pyproject.toml: the repository must be this one. Received: {known.name} recorded, "
            f"{found} found. Set repository in [tool.nbtools], then run: make notebooks"
        )
    if known.release != f"v{version}":
        problems.append(
            f"pyproject.toml: install cells must name the release. Received: "
            f'{known.release or "none"}, version {version}. Set release = "v{version}", then run: '
            "make notebooks"
        )
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    if re.search(rf"^## {re.escape(version)}.*unreleased", changes, re.MULTILINE):
        problems.append(f"CHANGELOG.md: {version} must have a date. Received: unreleased.")
    return problems + list_unfinished()


def main() -> int:
    """Print what stands in the way of a release; 1 if anything does."""
    problems = check_release(read(), found=find())
    print("\n".join(problems) or "Ready: address, release and pages are complete.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
