"""What is known of a method: what it is, whom to cite, where to learn it, and what reuse needs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nbtools import tasks

WORKBENCHES = {
    task: f"notebooks/workbench_{task}.ipynb" for task in ("denoise", "segment")
}  # any method of it on one's own images


@dataclass(frozen=True)
class Paper:
    title: str
    doi: str
    year: int


@dataclass(frozen=True)
class Row:
    """One method. `system` is its name in the review; `parameters` are those of its default network
    in 2D.

    decoder : function (maps, **decoding values) → labels, where that is all `decode` does: it
        decodes again without loading a network.
    decoder_takes : arguments of that function that are settings of the method: ((argument,
        setting), …).
    """

    name: str
    path: str
    title: str
    task: str
    dims: tuple[int, ...]
    needs: tuple[str, ...]
    system: str
    paper: Paper
    lesson: str
    parameters: int = 0
    built_on: str | None = None
    weights: str | None = None
    decoder: str | None = None
    decoder_takes: tuple[tuple[str, str], ...] = ()

    def load_decoder(self, settings: dict) -> Callable:
        """The function named by `decoder`, with what it takes of the settings (plain values by
        name).
        """
        module, _, name = self.decoder.partition(":")
        function = getattr(importlib.import_module(module), name)
        return partial(
            function, **{argument: settings[setting] for argument, setting in self.decoder_takes}
        )

    @property
    def trained(self) -> bool:
        return self.parameters > 0

    @property
    def classical(self) -> bool:
        """Predicts without having learned anything."""
        return not self.trained and self.needs == ("nothing",)

    @property
    def file(self) -> str:
        return self.path.partition(":")[0].replace(".", "/") + ".py"

    def describe(self) -> dict:
        return {
            "name": self.name,
            "title": self.title,
            "task": tasks.get(self.task).name,
            "dims": list(self.dims),
            "needs": list(self.needs),
            "paper": vars(self.paper).copy(),
            "system": self.system,
            "built_on": self.built_on,
            "parameters": self.parameters,
            "weights": self.weights,
            "lesson": self.lesson,
            "passport": self.passport(),
        }

    def passport(self) -> dict[str, str | None]:
        """The ten elements that reuse needs (the review's Figure 3A), each a path in this
        repository, or None where it is missing.
        """
        weights = f"data/weights/{self.weights}" if self.weights else None
        return {
            "explanation": self.lesson,
            "code": self.file,
            "documentation": f"README.md#{self.name}",
            "environment": "constraints.txt",
            "trained_model": weights,
            "training_data": f"{weights}/README.md"
            if weights
            else "data/samples"
            if self.trained
            else None,
            "training_code": "nbtools/training/__init__.py"
            if self.trained and not self.built_on
            else self.file,
            "training_routine": self.lesson,
            "training_documentation": f"{weights}/recipe.json" if weights else None,
            "interface": WORKBENCHES.get(self.task),
        }
