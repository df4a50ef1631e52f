"""Remedies in the words of Python, for notebooks: messages are written for the command line."""

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
    (r"--axes ([A-Z]{2,})", r'InputOptions(axes="\1")'),
    (r"--spacing Z,Y,X", "InputOptions(spacing=(z, y, x))"),
    (r"--unit pixel", 'unit="pixel"'),
    (r"with --min-size", "with results.remove_smaller_than"),
    (r"--overwrite", "overwrite=True"),
    (r"--init", "start_from"),
    (r"--set (\w+=)", r"\1"),
    (r"--gate-(px|um)", r'a gate (unit="\1")'),
    (r"--count (\d+)", r"count=\1"),
    (r"\(--images\)", "(argument image)"),
)
FLAG = re.compile(r"--([a-z][a-z-]*)")


def in_python(text: str) -> str:
    """Replace flags and verbs of the command line by their names in Python.

    Parameters
    ----------
    text : a remedy, a warning, or a line of `checks.fix`.

    Examples
    --------
    >>> in_python("Choose one with --channel 0, or by name.")
    'Choose one with InputOptions(channel=0), or by name.'
    >>> in_python("Leave out --tile.")
    'Leave out tile.'
    """
    for pattern, words in WORDS:
        text = re.sub(pattern, words, text)
    return FLAG.sub(lambda found: found[1].replace("-", "_"), text)
