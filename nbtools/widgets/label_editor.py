"""Edit a label image by actions (paint, join, split, undo …), and keep a journal of them.

An action is a plain dictionary that travels as JSON from the page, and into the journal as it is:

    {"do": "paint", "z": 3, "to": 7, "runs": [start, length, …]}
        pixels of a plane, counted row by row, get a number; 0 erases
    {"do": "remove", "label": 7}
    {"do": "join", "label": 7, "into": 5}
    {"do": "part", "label": 7}
        split a nucleus into its connected pieces
    {"do": "between", "label": 7}
        interpolate between painted planes
    {"do": "class", "label": 7, "name": "mitosis"}
    {"do": "undo"}
    {"do": "redo"}
    {"do": "put", "parts": [[label, [start, length, …]], …], "classes": {label: name}}
        an undo or redo in the journal, and a nucleus that a click has added: labels of pixels of
        the whole image; with "plane", that plane is shown
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import ndimage

from nbtools import documents
from nbtools.errors import UserError, require_choice

MAX_UNDO = 500  # that can be undone
PAUSE_S = 30.0  # a longer pause between two actions does not count as work


@dataclass(frozen=True, eq=False)
class Change:
    """What one action changed.

    Parameters
    ----------
    indices : flat indices of the changed pixels.
    before, after : their labels.
    classes : classes of nuclei before and after.
    plane : plane to show.
    """

    indices: np.ndarray
    before: np.ndarray
    after: np.ndarray
    classes: tuple[Mapping[int, str], Mapping[int, str]]
    plane: int


class LabelEditor:
    """Labels (Z, Y, X) int32 and classes of nuclei, changed by actions.

    Parameters
    ----------
    label : labels to begin with.
    classes : classes to begin with.
    empty : value of pixels without annotation: 0, or -1 for scribbles, where 0 is background.

    Attributes
    ----------
    counts : pixels of each label.
    seconds : working time without long pauses.
    action_count : number of actions.

    Examples
    --------
    >>> editor = LabelEditor(np.zeros((1, 4, 5), np.int32))
    >>> _ = editor.apply({"do": "paint", "z": 0, "to": 1, "runs": [6, 2]})
    >>> editor.label[0, 1].tolist(), editor.next_label
    ([0, 1, 1, 0, 0], 2)
    """

    def __init__(
        self, label: np.ndarray, classes: Mapping[int, str] | None = None, *, empty: int = 0
    ):
        self.empty = empty
        self.label = np.array(label, np.int32, order="C")
        self.classes = dict(classes or {})
        found, counts = np.unique(self.label[self.label > 0], return_counts=True)
        self.counts = dict(zip(found.tolist(), counts.tolist(), strict=True))
        self.done: list[Change] = []
        self.undone: list[Change] = []
        self.seconds, self.action_count, self._last = 0.0, 0, None

    @property
    def next_label(self) -> int:
        """A number that no nucleus has."""
        return max(self.counts, default=0) + 1

    def apply(self, action: Mapping) -> int | None:
        """Apply one action; returns the plane it changed, None where it changed nothing.

        Parameters
        ----------
        action : see the module.

        Raises
        ------
        UserError : an action that cannot be applied, such as splitting a nucleus of one piece.
        """
        kinds: dict[str, Callable] = {
            "paint": self._paint,
            "remove": self._remove,
            "join": self._join,
            "part": self._split,
            "between": self._interpolate,
            "class": self._name_class,
            "undo": self._undo,
            "redo": self._redo,
            "put": self._restore,
        }
        require_choice(action.get("do"), kinds, rule="An action must be one of the painter's.")
        plane = kinds[action["do"]](action)
        self._count_time(action.get("at"))
        self.action_count += 1
        return plane

    def _paint(self, action: Mapping) -> int | None:
        size, z, to = self.label[0].size, int(action["z"]), int(action["to"])
        runs = np.asarray(action["runs"], np.int64).reshape(-1, 2)
        if (
            not 0 <= z < len(self.label)
            or runs.min(initial=0) < 0
            or runs.sum(axis=1).max(initial=0) > size
            or not self.empty <= to < 2**31
        ):
            raise UserError(
                "A stroke must lie in the image.",
                f"plane {z} of {len(self.label)}",
                "Reload the page, and draw again.",
            )
        return self._change(z * size + expand_runs(runs), to, plane=z)

    def _remove(self, action: Mapping) -> int | None:
        return self._change(self._find(action["label"]), self.empty)

    def _join(self, action: Mapping) -> int | None:
        indices = self._find(action["label"])
        self._find(action["into"])
        return self._change(indices, int(action["into"]))

    def _split(self, action: Mapping) -> int | None:
        """Split into connected pieces: the largest keeps the number, each other gets a new one."""
        label = int(action["label"])
        indices = self._find(label)
        pieces, count = ndimage.label(self.label == label)
        if count < 2:
            raise UserError(
                "A nucleus can be split only where it is in pieces.",
                f"nucleus {label} in one piece",
                "Draw a line through it with the eraser first.",
            )
        sizes = np.bincount(pieces.ravel())[1:]
        numbers = np.empty(count + 1, np.int32)
        order = np.argsort(-sizes, kind="stable")
        numbers[1 + order] = [label, *range(self.next_label, self.next_label + count - 1)]
        return self._change(indices, numbers[pieces.ravel()[indices]])

    def _interpolate(self, action: Mapping) -> int | None:
        """Fill the planes between painted ones, by interpolated distance to the outline.

        Shape-based interpolation: Raya and Udupa 1990, doi:10.1109/42.52980.
        """
        label = int(action["label"])
        self._find(label)
        shape = self.label == label
        painted = np.flatnonzero(shape.any(axis=(1, 2)))
        filled = np.zeros_like(shape)
        for low, high in pairwise(painted):
            depths = [signed_distance(shape[z]) for z in (low, high)] if high - low > 1 else None
            for z in range(low + 1, high):
                share = (z - low) / (high - low)
                filled[z] = (1 - share) * depths[0] + share * depths[1] > 0
        indices = np.flatnonzero(filled & (self.label == self.empty))
        if not len(indices):
            raise UserError(
                "Only planes between painted ones can be filled.",
                f"planes {', '.join(map(str, painted))}",
                "Paint it in two planes first.",
            )
        return self._change(indices, label)

    def _name_class(self, action: Mapping) -> int | None:
        label = int(action["label"])
        name = str(action["name"])
        indices = self._find(label)
        others = {k: v for k, v in self.classes.items() if k != label}
        wanted = dict(sorted((others | ({label: name} if name else {})).items()))
        return self._change(
            indices[:0], 0, plane=int(indices[0] // self.label[0].size), classes=wanted
        )

    def _undo(self, _action: Mapping) -> int | None:
        if not self.done:
            return None
        change = self.done.pop()
        self._write(change.indices, change.before)
        self.classes = dict(change.classes[0])
        self.undone.append(change)
        return change.plane

    def _redo(self, _action: Mapping) -> int | None:
        if not self.undone:
            return None
        change = self.undone.pop()
        self._write(change.indices, change.after)
        self.classes = dict(change.classes[1])
        self.done.append(change)
        return change.plane

    def journal_entry(self, action: Mapping) -> dict:
        """The last action in a form that can be applied to the label alone.

        Parameters
        ----------
        action : the action just applied; an undo or redo becomes a "put" of what it restored.
        """
        if action["do"] not in ("undo", "redo"):
            return dict(action)
        change, side = (self.undone[-1], 0) if action["do"] == "undo" else (self.done[-1], 1)
        labels = (change.before, change.after)[side]
        parts = [
            [int(n), encode_runs(change.indices[labels == n]).ravel().tolist()]
            for n in np.unique(labels)
        ]
        return {
            "do": "put",
            "parts": parts,
            "classes": dict(change.classes[side]),
            "at": action.get("at"),
        }

    def _restore(self, action: Mapping) -> int | None:
        indices = [
            expand_runs(np.asarray(runs, np.int64).reshape(-1, 2)) for _, runs in action["parts"]
        ]
        labels = [
            np.full(len(p), n, np.int32) for p, (n, _) in zip(indices, action["parts"], strict=True)
        ]
        classes = {int(label): name for label, name in action["classes"].items()}
        none = np.zeros(0, np.int64)
        plane = action.get("plane", None if any(map(len, indices)) else 0)
        return self._change(
            np.concatenate([none, *indices]),
            np.concatenate([none, *labels]),
            plane=plane,
            classes=classes,
        )

    def _find(self, label: object) -> np.ndarray:
        """Flat indices of a nucleus; UserError where no nucleus has this number."""
        if int(label) not in self.counts:
            raise UserError(
                "An action needs an existing nucleus.", f"number {label}", "Point at a nucleus."
            )
        return np.flatnonzero(self.label.ravel() == int(label))

    def _change(
        self,
        indices: np.ndarray,
        after: object,
        *,
        plane: int | None = None,
        classes: Mapping | None = None,
    ) -> int | None:
        """Change labels or classes, and remember the state before."""
        before = self.label.ravel()[indices]
        after = np.broadcast_to(np.asarray(after, np.int32), indices.shape).copy()
        differs = before != after
        if not differs.any() and classes in (None, self.classes):
            return None
        indices, before, after = indices[differs], before[differs], after[differs]
        old = dict(self.classes)
        self._write(indices, after)
        self.classes = {
            k: v for k, v in (old if classes is None else classes).items() if k in self.counts
        }
        plane = int(indices[len(indices) // 2] // self.label[0].size) if plane is None else plane
        self.done = [
            *self.done[-MAX_UNDO + 1 :],
            Change(indices, before, after, (old, dict(self.classes)), plane),
        ]
        self.undone = []
        return plane

    def _write(self, indices: np.ndarray, values: np.ndarray) -> None:
        flat = self.label.reshape(-1)
        for sign, changed in ((-1, flat[indices]), (1, values)):
            for label, count in zip(
                *np.unique(changed[changed > 0], return_counts=True), strict=True
            ):
                self.counts[int(label)] = self.counts.get(int(label), 0) + sign * int(count)
        flat[indices] = values
        self.counts = {label: count for label, count in self.counts.items() if count > 0}

    def _count_time(self, at: float | None) -> None:
        if at is not None and self._last is not None and 0 < at - self._last < PAUSE_S:
            self.seconds += at - self._last
        self._last = self._last if at is None else at


class Journal:
    """Unsaved actions in a small file, one per line, read again after a restart."""

    def __init__(self, path: Path):
        self.path = path

    def add(self, action: Mapping) -> None:
        """Append one action."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(action, separators=(",", ":")) + "\n")
        except OSError as error:
            raise UserError(
                "Unsaved work is kept in the folder of the result.",
                f"{self.path} ({error.strerror})",
                "Give a folder with write access.",
            ) from error

    def read(self) -> list[dict]:
        """Read the actions; an incomplete last line is left out."""
        found = []
        for line in documents.read_text(self.path).splitlines() if self.path.is_file() else ():
            try:
                found.append(documents.parse_json(line, self.path))
            except UserError:
                break
        return found

    def clear(self) -> None:
        """Delete the file: the actions are saved."""
        self.path.unlink(missing_ok=True)


def expand_runs(runs: np.ndarray) -> np.ndarray:
    """Expand runs to flat indices.

    Parameters
    ----------
    runs : (n, 2) int, start and length of each run.

    Returns
    -------
    (total length,) int.

    Examples
    --------
    >>> expand_runs(np.array([[5, 2], [9, 3]])).tolist()
    [5, 6, 9, 10, 11]
    """
    ends = np.cumsum(runs[:, 1])
    return np.repeat(runs[:, 0] - ends + runs[:, 1], runs[:, 1]) + np.arange(
        ends[-1] if len(ends) else 0
    )


def encode_runs(indices: np.ndarray) -> np.ndarray:
    """Encode flat indices as runs; `expand_runs` inverts it.

    Parameters
    ----------
    indices : (N,) int, ascending.

    Returns
    -------
    (n, 2) int, start and length of each run.

    Examples
    --------
    >>> encode_runs(np.array([5, 6, 9, 10, 11])).tolist()
    [[5, 2], [9, 3]]
    """
    first = np.flatnonzero(np.diff(indices, prepend=-2) != 1)
    return np.stack([indices[first], np.diff(first, append=len(indices))], axis=1)


def pack_plane(plane: np.ndarray) -> str:
    """Pack a label plane (Y, X) as text: runs of length and label, int32, deflated, in base64."""
    flat = plane.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    runs = np.stack([np.diff(starts, append=flat.size), flat[starts]], axis=1).astype("<i4")
    return base64.b64encode(zlib.compress(runs.tobytes(), 1)).decode("ascii")


def signed_distance(shape: np.ndarray) -> np.ndarray:
    """Distance (Y, X) of each pixel to the border of a shape, positive inside, negative outside."""
    return ndimage.distance_transform_edt(shape) - ndimage.distance_transform_edt(~shape)
