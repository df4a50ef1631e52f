"""The glossary: its entries, and the lesson in which each word appears first; used by build.py."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext

PAGE = Path(__file__).resolve().parent / "glossary.md"
TERM = re.compile(r"\*\*(.+?)\*\*")


def read_entries(text: str) -> dict[str, str]:
    """Term in lower case → its explanation; synonyms have the same."""
    entries = {}
    for line in text.splitlines():
        if line.startswith("- "):
            entries |= {term.lower(): line.partition(": ")[2] for term in TERM.findall(line)}
    return entries


def read_prose(source: Path) -> str:
    """The text of a lesson, without code."""
    cells = jupytext.read(source, fmt="py:percent").cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"`[^`]*`", "", text)


def write_page(text: str, sources: list[Path]) -> str:
    """The glossary with the number of a lesson behind each entry that a lesson uses."""
    lessons = [source for source in sources if source.stem[:2].isdigit()]
    prose = {source.stem.partition("_")[0]: read_prose(source) for source in lessons}
    lines = []
    for line in text.splitlines():
        first = _find_first(TERM.findall(line), prose) if line.startswith("- ") else None
        lines.append(f"{line} ({first})" if first else line)
    return "\n".join(lines)


def _find_first(terms: list[str], prose: dict[str, str]) -> str | None:
    """The first lesson with one of these words; abbreviations are written as they are here."""
    for number in sorted(prose):
        for term in terms:
            pattern = rf"(?<!\w){re.escape(term)}s?(?!\w)".replace("\\ ", r"\s+")
            flags = 0 if term.isupper() else re.IGNORECASE
            if re.search(pattern, prose[number], flags):
                return number
    return None
