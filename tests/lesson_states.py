"""Variables and tables of the lessons, as their cells leave them."""

from functools import cache
from pathlib import Path

import jupytext

SOURCES = Path(__file__).resolve().parent.parent / "notebooks" / "src"


@cache
def run_lesson(number: str, until: str = "") -> tuple[dict, ...]:
    """The variables after each code cell of a lesson, up to the heading `until`."""
    path = next(SOURCES.glob(f"{number}_*.py"))
    variables, states = {}, []
    for cell in jupytext.read(path, fmt="py:percent").cells:
        if until and until in cell.source:
            break
        if cell.cell_type == "code" and "skip-execution" not in cell.metadata.get("tags", []):
            exec(compile(cell.source, path.name, "exec"), variables)
            states.append(dict(variables))
    return tuple(states)


def find_state(number: str, name: str, until: str = "", *, which: int = -1) -> object:
    """A variable of a lesson: its last value, or the value of `which` of the cells that set it."""
    values = []
    for state in run_lesson(number, until):
        if name in state and (not values or state[name] is not values[-1]):
            values.append(state[name])
    return values[which]


def read_tables(number: str) -> list[dict[str, dict[str, float]]]:
    """The tables in the prose of a lesson: first column → column → number."""
    tables, head = [], None
    for line in next(SOURCES.glob(f"{number}_*.py")).read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.removeprefix("# |").rstrip("|").split("|")]
        if not line.startswith("# |"):
            head = None
        elif head is None:
            head = cells
            tables.append({})
        elif not cells[0].startswith("---"):
            tables[-1][cells[0]] = dict(zip(head[1:], map(float, cells[1:]), strict=True))
    return tables


def ap(scores: dict, iou: str = "0.50") -> float:
    return scores["pooled"][iou]["ap"]
