"""What `nbtools predict` and later verbs write beside results: never images of the user."""

from __future__ import annotations

from pathlib import Path

RESULT = "result.json"  # marks a folder that nbtools predict wrote
OWN_FOLDERS = ("overlays", "errors", "scores", "raw", "rois")  # of a result: no images of the user
OWN_FILES = (  # of a result, also of older versions: neither images nor tables of the user
    *("strata.png", "compare.png", "differences.png"),
    *("summary.csv", "objects.csv", "nuclei.csv", "classes.csv"),
)


def is_result(folder: Path) -> bool:
    """Whether `nbtools predict` wrote a folder."""
    return (folder / RESULT).is_file()


def is_own(path: Path) -> bool:
    """Whether a file beside the results of a folder is a picture or a table of all of them.

    Parameters
    ----------
    path : of a file in any folder; only in the folder of a result it can be one.
    """
    return path.name.lower() in OWN_FILES and is_result(path.parent)
