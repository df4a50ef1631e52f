"""Links in the prose of notebooks: papers by their DOI, lessons by their number or name.

The sources stay readable: they say "doi:10.1000/1" and "lesson 07".
"""

from __future__ import annotations

import re
from collections.abc import Collection

DOI = re.compile(r"\bdoi:(10\.\d{4,9}/[^\s;,)\]]*[^\s;,)\].:])")
ARXIV = re.compile(r"\barXiv:(\d{4}\.\d{4,5})")
NAME = re.compile(r"`(\w+)`")
LESSON = re.compile(r"\b([Ll]esson\s+)(\d\d[a-z]?)\b")
# nothing is linked in these: a page shows their text as it is
APART = re.compile(r"(```.*?```|<summary>.*?</summary>|\[[^\]]*\]\([^)]*\))", re.S)
BACK = (
    (re.compile(r"\[(doi:([^\]]+))\]\(https://doi\.org/\2\)"), r"\1"),
    (re.compile(r"\[(arXiv:([^\]]+))\]\(https://arxiv\.org/abs/\2\)"), r"\1"),
    (re.compile(r"\[(`(\w+)`)\]\(\2\.ipynb\)"), r"\1"),
    (re.compile(r"\[([Ll]esson\s+\d\d[a-z]?)\]\(\w+\.ipynb\)"), r"\1"),
)


def add_links(text: str, stems: Collection[str]) -> str:
    """The prose of a cell with its links.

    Parameters
    ----------
    text : Markdown.
    stems : names of the notebooks beside it, without suffix.

    Examples
    --------
    >>> add_links("Lesson 07 (doi:10.1000/1).", ["07_restore"])
    '[Lesson 07](07_restore.ipynb) ([doi:10.1000/1](https://doi.org/10.1000/1)).'
    """
    parts = APART.split(text)
    parts[::2] = [_link(part, stems) for part in parts[::2]]
    return "".join(parts)


def remove_links(text: str) -> str:
    """The prose as it stands in the source.

    Parameters
    ----------
    text : Markdown that `add_links` made.

    Examples
    --------
    >>> remove_links("[Lesson 07](07_restore.ipynb)")
    'Lesson 07'
    """
    for pattern, plain in BACK:
        text = pattern.sub(plain, text)
    return text


def _link(text: str, stems: Collection[str]) -> str:
    numbers = {stem.partition("_")[0]: stem for stem in stems}
    text = DOI.sub(r"[doi:\1](https://doi.org/\1)", text)
    text = ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
    text = NAME.sub(lambda m: f"[{m[0]}]({m[1]}.ipynb)" if m[1] in stems else m[0], text)
    return LESSON.sub(
        lambda m: f"[{m[0]}]({numbers[m[2]]}.ipynb)" if m[2] in numbers else m[0], text
    )
