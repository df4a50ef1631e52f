"""Remedies in the words of Python, for notebooks: findings themselves speak of the command line."""

from __future__ import annotations

import re

WORDS = (  # what stands in a remedy, and what a person in a notebook writes instead
    (r"nbtools check --fix COPY --even-depth", "checks.fix with RepairOptions(even_depth=True)"),
    (r"nbtools check --fix COPY --unknown (\d+)", r"checks.fix with RepairOptions(unknown=(\1,))"),
    (r"nbtools check --fix", "checks.fix (or Write repaired copy)"),
    (
        r"Run nbtools check with (--\S+) (\S+) --remember, which writes",
        r"Give \1 \2 to data.save_input_options, which writes",
    ),
    (r"nbtools split", "DataSet.split"),
    (r"see --allow-fewer", "RepairOptions(allow_fewer=True) allows that"),
    (r"--time all", 'InputOptions(time="all")'),
    (r"--(channel|time) (\d+)( to \d+|, 1 or 2)?", r"InputOptions(\1=\2)\3"),
    (r"--axes ([A-Z]+)", r'InputOptions(axes="\1")'),
    (r"--spacing Z,Y,X", "InputOptions(spacing=(z, y, x))"),
    (r"with --min-size", "with results.remove_smaller_than"),
    (r"--(spacing|axes|diameter|channel|time)", r"\1"),
)


def in_python(text: str) -> str:
    """Replace flags and verbs of the command line by their names in Python.

    Parameters
    ----------
    text : a remedy, or a line of `checks.fix`.

    Examples
    --------
    >>> in_python("Choose one with --channel 0, or by name.")
    'Choose one with InputOptions(channel=0), or by name.'
    """
    for pattern, words in WORDS:
        text = re.sub(pattern, words, text)
    return text
