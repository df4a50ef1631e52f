"""Answers of a person who sorts images into classes: undone, stored and asked for in good order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nbtools import io
from nbtools.data import DataSet, write_dataset
from nbtools.errors import UserError, require_choice
from nbtools.methods.active_choice import can_learn, rank_least_certain
from nbtools.methods.method import Method

TABLE = "classes.csv"
CANDIDATES = 200  # images that a model looks at for the next page
MOST_CLASSES = 9  # keys 1 … 9
# name, class before, place and page before; None for a key that changed nothing
Change = tuple[str, str | None, int, tuple[str, ...]] | None


class Answers:
    """The classes of images, given one by one; `page` are the images asked for, `place` the next.

    Parameters
    ----------
    images : to sort; those with a class are sorted already.
    classes : names, in the order of their keys; those of the images are added.
    folder : with the table classes.csv, and the images where `images` has no folder of its own.
    learner : (sorted images) → trained method that orders the others; None: in their order.
    per_page : images that are asked for together.

    Raises
    ------
    UserError : no classes or more than 9, or a folder with other images.
    """

    def __init__(
        self,
        images: DataSet,
        classes: Sequence[str],
        *,
        folder: Path,
        learner: object = None,
        per_page: int = 24,
    ):
        self.images, self.folder, self.learner = images, Path(folder), learner
        self.per_page, self.note = per_page, ""
        self.history: list[Change] = []
        known = {e.name: e.class_name for e in images.entries if e.class_name}
        self.classes: dict[str, str] = known | self._open_table()
        self.names = list(dict.fromkeys([*classes, *sorted(set(self.classes.values()))]))
        if not self.names or len(self.names) > MOST_CLASSES:
            raise UserError(
                f"Images are sorted into 1 to {MOST_CLASSES} classes, a key each.",
                f"{len(self.names)} classes",
                'Name them: sort_images(crops, classes=("round", "long")).',
            )
        self.skipped: set[str] = set()
        self.page, self.place = (), 0
        self._turn_page()

    @property
    def current(self) -> str | None:
        """Name of the image that is asked for; None where none is left."""
        return self.page[self.place] if self.place < len(self.page) else None

    @property
    def left(self) -> list[str]:
        """Names of the images without an answer, skipped ones left out."""
        done = self.classes.keys() | self.skipped
        return [name for name in self.images.names if name not in done]

    def sort(self, name: str, kind: str) -> None:
        """Give an image a class, and store the table.

        Parameters
        ----------
        name : of the image.
        kind : its class.

        Raises
        ------
        UserError : no image of this name, or no such class.
        """
        require_choice(name, self.images.names, rule="An answer names one of the images.")
        require_choice(kind, self.names, rule="An answer names one of the classes.")
        self._remember(name)
        self.classes[name] = kind
        self.skipped.discard(name)
        self._store()

    def answer(self, number: int) -> None:
        """Give the current image a class by its number, from 1; 0 skips it. Then ask for the next.

        Parameters
        ----------
        number : of the class; another one changes nothing.
        """
        name = self.current
        if name is None or not 0 <= number <= len(self.names):
            self.history.append(None)
            return
        if number:
            self.sort(name, self.names[number - 1])
        else:
            self._remember(name)
            self.classes.pop(name, None)
            self.skipped.add(name)
            self._store()
        self.place += 1
        if self.current is None:
            self._turn_page()

    def move(self, step: int) -> None:
        """Ask for another image of the page, so many places on; its answer may be changed."""
        self.history.append(("", None, self.place, self.page))
        self.place = min(max(self.place + step, 0), max(len(self.page) - 1, 0))

    def undo(self) -> None:
        """Take back the last answer, or the last move; where there is none, nothing happens."""
        if not self.history:
            return
        change = self.history.pop()
        if change is None:
            return
        name, before, self.place, self.page = change
        if not name:
            return
        self.skipped.discard(name)
        self.classes.pop(name, None)
        if before is not None:
            self.classes[name] = before
        self._store()

    def sorted_images(self) -> DataSet:
        """The images with an answer, with their classes."""
        return self.images.with_classes(self.classes)

    # --- which are asked for

    def _turn_page(self) -> None:
        left = self.left
        self.note = "" if left else "All are sorted."
        self.page, self.place = tuple(self._order(left)[: self.per_page]), 0

    def _order(self, left: list[str]) -> list[str]:
        """Those that the learner is least sure of first, once it can learn."""
        if self.learner is None or len(left) <= 1:
            return left
        if not isinstance(self.learner, Method) and not can_learn(list(self.classes.values())):
            return left
        candidates = self._choose(left)
        try:
            method = self.learner
            if not isinstance(method, Method):
                method = self.learner(self.sorted_images())
            ranked = rank_least_certain(method, candidates)
        except UserError as error:
            self.note = f"In their own order: {error}"
            return left
        self.note = f"Next are those that {method.name} is least sure of."
        return [candidates.names[i] for i in ranked]

    def _choose(self, left: list[str]) -> DataSet:
        """Some of the images without an answer, drawn evenly."""
        wanted = set(left)
        indices = [i for i, name in enumerate(self.images.names) if name in wanted]
        few = np.random.default_rng(len(left)).permutation(indices)[:CANDIDATES]
        return self.images.subset(sorted(few.tolist()))

    # --- what is stored

    def _remember(self, name: str) -> None:
        self.history.append((name, self.classes.get(name), self.place, self.page))

    def _open_table(self) -> dict[str, str]:
        """Answers of an earlier session; without one, the images are written where they are not."""
        if self.images.folder != self.folder and not self._holds_images():
            write_dataset(self.images, self.folder)
        table = self.folder / TABLE
        rows = io.read_csv(table) if table.is_file() else []
        self.others = [row for row in rows if row.get("name") not in self.images.names]
        columns = [column for row in rows for column in row]
        self.columns = list(dict.fromkeys(["name", "class", *columns]))
        self.rows = {row["name"]: row for row in rows if row.get("name") in self.images.names}
        return {name: row["class"] for name, row in self.rows.items() if row.get("class")}

    def _holds_images(self) -> bool:
        """Whether the folder holds these images already; UserError where it holds others."""
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            return False
        there = set(DataSet.open(self.folder).names)
        if set(self.images.names) <= there:
            return True
        raise UserError(
            "A folder of sorted images holds the images that are sorted.",
            f"{self.folder} with others",
            "Give another folder: sort_images(crops, folder=…).",
        )

    def _store(self) -> None:
        """Write the table, whole or not at all; rows of other images and columns stay."""
        rows = list(self.others)
        for name in self.images.names:
            if name in self.classes:
                rows.append(self.rows.get(name, {}) | {"name": name, "class": self.classes[name]})
            elif name in self.rows and any(
                value for key, value in self.rows[name].items() if key not in ("name", "class")
            ):
                rows.append(self.rows[name] | {"class": ""})
        io.write_csv(self.folder / TABLE, rows, columns=self.columns)
