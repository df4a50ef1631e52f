"""Translation: an image of one kind from one of another kind, as fluorescence from phase contrast.

Files and metrics are those of restoration; the input is no baseline for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nbtools.results import Restored
from nbtools.tasks import restoration


def evaluate(pairs: Iterable[tuple[str, Restored, Restored | None]], **options: object) -> dict:
    """Scores of translated images: see `tasks.restoration.evaluate`."""
    return restoration.evaluate(pairs, **options) | {"task": "translation"}


TASK = replace(
    restoration.TASK,
    name="translation",
    partner="paired",
    evaluate=evaluate,
    done="translated",
    baseline="",
    unprocessed=lambda truth: None,
)
