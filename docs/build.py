"""Build the site, without network.

python docs/build.py [--course FOLDER] [--out FOLDER] [--only NAME …]

Pages that people write lie beside this file; lessons are those that `nbtools course` executed; the
reference is made from the package itself (pages.py, functions.py). A warning of Sphinx, a link that
leads nowhere or a lesson that stopped ends the build with code 1.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "notebooks"), str(HERE)]

import functions  # noqa: E402
import gallery  # noqa: E402
import lesson_pages  # noqa: E402
import links  # noqa: E402
import pages  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Assemble, build and check; 1 where anything is amiss."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--course", type=Path, help="folder of an executed course")
    parser.add_argument("--out", type=Path, default=ROOT / ".make" / "site")
    parser.add_argument("--only", nargs="+", default=[], help="lessons, where one is executed anew")
    args = parser.parse_args(argv)
    course = args.course or find_course(args.only)
    source, html = args.out / "source", args.out / "html"
    for folder in (source, html):
        shutil.rmtree(folder, ignore_errors=True)
    problems = assemble(source, course)
    problems += run_sphinx(source, html) or links.check(html)
    print("\n".join(problems) or f"Built: {html / 'index.html'}")
    return 1 if problems else 0


def find_course(only: list[str]) -> Path:
    """The newest executed course; without one, the lessons are executed now, in short."""
    from nbtools import course

    runs = sorted((ROOT / "runs").glob("course-*/course.json"))
    if runs and not only:
        return runs[-1].parent
    return Path(course.run_course(only, fast=True, say=print)["folder"])


def assemble(source: Path, course: Path) -> list[str]:
    """Put all pages into one folder; what is wrong with them."""
    source.mkdir(parents=True)
    shutil.copy(HERE / "conf.py", source)
    shutil.copytree(HERE / "_static", source / "_static")
    figures = source / "_static" / "figures"
    figures.mkdir()
    for picture in (ROOT / "notebooks" / "pictures").glob("*.*"):
        shutil.copy(picture, figures)
    stems, problems = lesson_pages.write(course, source / "lessons")
    tables = pages.write_tables(stems)
    for page in HERE.glob("*.md"):
        (source / page.name).write_text(pages.fill(page.read_text("utf-8"), tables), "utf-8")
    pages.write_reference(source / "reference")
    functions.write(source / "reference")
    gallery.write(course, source, stems)
    return problems


def run_sphinx(source: Path, html: Path) -> list[str]:
    """Build the pages; a warning is an error."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    code = subprocess.run([*command, str(source), str(html)], check=False).returncode
    return [] if code == 0 else ["The site must build without a warning. See above."]


if __name__ == "__main__":
    sys.exit(main())
