"""Every task by name: what a result of it is, in a file, in numbers and in figures.

One file per task, and nothing else knows what a result of it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from nbtools.errors import UserError
from nbtools.results import Result
from nbtools.tasks import (
    classification,
    detection,
    instances,
    restoration,
    semantic,
    translation,
)
from nbtools.tasks.base import TITLES, Task
from nbtools.tasks.reading import ResultSet

INSTANCES, SEMANTIC = instances.TASK, semantic.TASK
DETECTION, CLASSIFICATION = detection.TASK, classification.TASK
RESTORATION, TRANSLATION = restoration.TASK, translation.TASK
TASKS = {
    task.name: task
    for task in (INSTANCES, SEMANTIC, DETECTION, CLASSIFICATION, RESTORATION, TRANSLATION)
}
ALIASES = {  # words of older versions
    "segment": "instances",
    "detect": "detection",
    "classify": "classification",
    "denoise": "restoration",
}
MARKS = {  # beginning of a key of scores from versions that did not write their task
    "gate_": DETECTION,
    "balanced_accuracy": CLASSIFICATION,
    "mean_iou": SEMANTIC,
    "mean.psnr": RESTORATION,
    "pooled": INSTANCES,
}

__all__ = [
    "ALIASES",
    "CLASSIFICATION",
    "DETECTION",
    "INSTANCES",
    "RESTORATION",
    "SEMANTIC",
    "TASKS",
    "TITLES",
    "TRANSLATION",
    "ResultSet",
    "Task",
    "find",
    "get",
    "of_result",
    "of_scores",
    "rename",
]


def rename(name: str) -> str:
    """The word of today for a task's name.

    Parameters
    ----------
    name : of a task, from any version.

    Examples
    --------
    >>> rename("segment"), rename("semantic")
    ('instances', 'semantic')
    """
    return ALIASES.get(name, name)


def get(name: str) -> Task:
    """A task by its name.

    Parameters
    ----------
    name : one of `TASKS`, or the word of an older version.

    Raises
    ------
    UserError : no such task.

    Examples
    --------
    >>> get("denoise").name
    'restoration'
    """
    if rename(name) not in TASKS:
        raise UserError(
            "A task must be one of the vocabulary.", repr(name), f"Known: {', '.join(TASKS)}."
        )
    return TASKS[rename(name)]


def find(name: str | None) -> Task | None:
    """A task by its name; None where there is none of that name."""
    return TASKS.get(rename(name or ""))


def of_result(result: Result) -> Task:
    """The task that a result belongs to; of restored and translated images, restoration."""
    return next(task for task in TASKS.values() if isinstance(result, task.results))


def of_scores(scores: Mapping) -> Task | None:
    """The task of scores; None where they are no scores.

    Parameters
    ----------
    scores : what `evaluate` of a task returned. They name their task; those of older versions,
        which do not, are recognised by their keys.

    Examples
    --------
    >>> of_scores({"task": "semantic"}).name, of_scores({"balanced_accuracy": 0.9}).name
    ('semantic', 'classification')
    """
    if isinstance(scores.get("task"), str):
        return find(scores["task"])
    means = scores.get("mean")
    inside = means if isinstance(means, Mapping) else ()
    keys = [*scores, *(f"mean.{name}" for name in inside)]
    return next(
        (task for mark, task in MARKS.items() if any(str(k).startswith(mark) for k in keys)), None
    )
