"""Make the notebooks that people open from the percent sources that people edit.

python notebooks/build.py
    notebooks/src/*.py → notebooks/*.ipynb, always the same bytes, without outputs; glossary.md →
    glossary.ipynb; and the tables of lessons and methods in README.md
python notebooks/build.py --check
    are they up to date, and do the sources keep a lesson's limits?
python notebooks/build.py --times COURSE.json --machine "two cores of …"
    keep the seconds that each lesson ran in a course, for the tables
python notebooks/build.py --from X.ipynb
    bring an edit made in Colab or Jupyter home into notebooks/src/X.py
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import re
import sys
import time
from pathlib import Path

import glossary
import jupytext
import lessons
import linking
import nbformat
import readme
import repository

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
MOST_CELLS, MOST_LINES, MOST_CELL_LINES, MOST_COLUMNS = 20, 110, 16, 88
EXERCISE = "exercise"  # tag of a cell that asks
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def main(argv: list[str] | None = None) -> int:
    """Build, check, or bring an edit home; 1 if something is amiss."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--from", dest="notebook", type=Path)
    parser.add_argument("--times", type=Path)
    parser.add_argument("--machine", default="")
    args = parser.parse_args(argv)
    if args.notebook:
        print(f"Written: {bring_home(args.notebook)}")
        return 0
    if args.times:
        lessons.write_times(args.times, machine=args.machine, date=time.strftime("%Y-%m-%d"))
    problems = [p for source in find_sources() for p in check_source(source)]
    if args.check:
        problems += (
            [p for source in find_sources() for p in check_built(source)]
            + check_glossary()
            + check_strays()
            + lessons.check()
            + readme.check_readme(find_sources())
        )
    else:
        repository.record(found=repository.find())
        for source in find_sources():
            built_path(source).write_text(build(source), encoding="utf-8", newline="\n")
        built_glossary().write_text(build_glossary(), encoding="utf-8", newline="\n")
        readme.README.write_text(
            readme.renew(readme.README.read_text("utf-8"), find_sources()),
            encoding="utf-8",
            newline="\n",
        )
    print("\n".join(problems) or f"{len(find_sources())} notebooks, all well.")
    return 1 if problems else 0


def find_sources() -> list[Path]:
    return sorted(SOURCES.glob("*.py"))


def built_path(source: Path) -> Path:
    return HERE / f"{source.stem}.ipynb"


def build(source: Path) -> str:
    """The notebook of a percent source, as text."""
    text = repository.fill(source.read_text("utf-8"), repository.read())
    cells = jupytext.reads(text, fmt="py:percent")
    head = f"{readme.write_badges(source.stem)}\n\n{readme.write_glossary_link()}".strip()
    badges = nbformat.v4.new_markdown_cell(head, metadata={"tags": ["badges"]})
    stems = [path.stem for path in find_sources()]
    for cell in cells.cells:
        if cell.cell_type == "markdown":
            cell.source = linking.add_links(cell.source, stems)
    return _write([badges, *cells.cells], _metadata(cells.metadata))


def build_glossary() -> str:
    """The glossary as a notebook, which opens in Jupyter and Colab alike: a cell a section."""
    text = glossary.write_page(glossary.PAGE.read_text("utf-8"), find_sources())
    sections = [readme.write_badges(readme.GLOSSARY), *re.split(r"\n(?=## )", text)]
    cells = [nbformat.v4.new_markdown_cell(section.rstrip("\n")) for section in sections if section]
    return _write(cells, _metadata({}))


def built_glossary() -> Path:
    return HERE / f"{readme.GLOSSARY}.ipynb"


def _write(cells: list[nbformat.NotebookNode], metadata: dict) -> str:
    """Cells as the text of a notebook."""
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        _clean(cell)
    _name_cells(notebook.cells)
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def bring_home(path: Path) -> Path:
    """Write the percent source of a notebook that was edited elsewhere; outputs and badges are left
    behind.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [
        c for c in notebook.cells if "badges" not in c.metadata.get("tags", []) and c.source.strip()
    ]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linking.remove_links(cell.source)
        shown = {k: v for k, v in cell.metadata.items() if k in ("tags", "cellView")}
        cell.metadata = nbformat.from_dict(shown)
    accelerator = notebook.metadata.get("accelerator")
    notebook.metadata = nbformat.from_dict({"accelerator": accelerator} if accelerator else {})
    notebook.metadata["jupytext"] = {
        "notebook_metadata_filter": "accelerator,-all" if accelerator else "-all",
        "cell_metadata_filter": "all",
    }
    text = repository.unfill(jupytext.writes(notebook, fmt="py:percent"))
    target = SOURCES / f"{Path(path).stem}.py"
    target.write_text(_drop_jupytext_header(text), encoding="utf-8", newline="\n")
    return target


def check_source(source: Path) -> list[str]:
    """What breaks a lesson's limits: it is short, holds no logic, and leaves work to nbtools."""
    text = source.read_text("utf-8")
    cells = jupytext.reads(text, fmt="py:percent").cells
    codes = [cell.source for cell in cells if cell.cell_type == "code"]
    lines = sum(map(_count_lines, codes))
    problems = []
    if len(codes) > MOST_CELLS:
        problems.append(
            f"at most {MOST_CELLS} code cells. Received: {len(codes)}. Cut, or make two lessons."
        )
    if lines > MOST_LINES:
        problems.append(
            f"at most {MOST_LINES} lines of code. Received: {lines}. Move work into nbtools."
        )
    problems += [
        f"at most {MOST_COLUMNS} columns. Received: {len(line)} in line {number}. Wrap it."
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > MOST_COLUMNS and not line.startswith("# |")  # a table's row is one line
    ]
    for number, code in enumerate(codes, 1):
        problems += [f"{problem} in code cell {number}." for problem in _check_cell(code)]
    return [f"{source.name}: {problem}" for problem in problems]


def is_exercise(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell asks the reader something."""
    return EXERCISE in cell.metadata.get("tags", [])


def check_built(source: Path) -> list[str]:
    path = built_path(source)
    if not path.is_file() or path.read_text("utf-8") != build(source):
        return [
            f"{path.name}: must be built from its source. Received: an older or edited one. "
            "Run: make notebooks"
        ]
    return []


def check_glossary() -> list[str]:
    path = built_glossary()
    if not path.is_file() or path.read_text("utf-8") != build_glossary():
        return [f"{path.name}: it must be what glossary.md makes it. Run: make notebooks"]
    return []


def check_strays() -> list[str]:
    known = {built_path(s) for s in find_sources()} | {built_glossary()}
    return [
        f"{p.name}: every notebook has a source. Received: none. Run: build.py --from {p.name}"
        for p in sorted(HERE.glob("*.ipynb"))
        if p not in known
    ]


def _metadata(given: dict) -> dict:
    colab = {"provenance": [], "toc_visible": True}
    metadata = {
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
        "colab": colab,
    }
    if given.get("accelerator"):
        metadata |= {
            "accelerator": given["accelerator"],
            "colab": colab | {"gpuType": "T4"},
        }
    return metadata


def _clean(cell: nbformat.NotebookNode) -> None:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    if cell.metadata.get("cellView") == "form":  # JupyterLab's word for the same
        cell.metadata["jupyter"] = {"source_hidden": True}


def _name_cells(cells: list[nbformat.NotebookNode]) -> None:
    """Ids from the content: a cell keeps its id when others come and go."""
    seen: dict[str, int] = {}
    for cell in cells:
        key = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[key] = seen.get(key, 0) + 1
        cell["id"] = key if seen[key] == 1 else f"{key}-{seen[key]}"


def _count_lines(code: str) -> int:
    return sum(1 for line in code.splitlines() if line.strip() and not line.strip().startswith("#"))


def _check_cell(code: str) -> list[str]:
    """What breaks the limits of a code cell."""
    tree = ast.parse(
        "\n".join(line for line in code.splitlines() if not line.lstrip().startswith(("%", "!")))
    )
    lines = _count_lines(code)
    comprehensions = sum(isinstance(node, COMPREHENSIONS) for node in ast.walk(tree))
    problems = []
    if lines > MOST_CELL_LINES:
        problems.append(f"split cells of more than {MOST_CELL_LINES} lines. Received: {lines}")
    if comprehensions > 1:
        problems.append(f"at most one comprehension; use for loops. Received: {comprehensions}")
    problems += [
        f"a lesson defines nothing, use nbtools. Received: {type(node).__name__} {node.name}"
        for node in ast.walk(tree)
        if isinstance(node, DEFINITIONS)
    ]
    return problems


def _drop_jupytext_header(text: str) -> str:
    """Keep of the header only what says something of the lesson: the accelerator."""
    if not text.startswith("# ---"):
        return text
    header, body = text[5:].split("# ---\n", 1)
    kept = [line for line in header.splitlines() if "accelerator:" in line]
    return (f"# ---\n# jupyter:\n{kept[0]}\n# ---\n" if kept else "") + body.lstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
