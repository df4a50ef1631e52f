"""What is known of a method: what it is, whom to cite, where to learn it, and what reuse needs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbtools import tasks
from nbtools.config import translate

if TYPE_CHECKING:
    from nbtools.methods.domain import Domain
    from nbtools.targets import Target

# any method of a task on one's own images
WORKBENCHES = {
    "instances": "notebooks/workbench_segment.ipynb",
    "detection": "notebooks/workbench_detect.ipynb",
    "restoration": "notebooks/workbench_denoise.ipynb",
    "classification": "notebooks/workbench_classify.ipynb",
    "translation": "notebooks/workbench_denoise.ipynb",
}
LIVE = "nbtools/widgets/live.py"  # of the others: form, training and stop in any notebook
# where nothing is trained, or nothing of its own
NOTHING = "README.md#nothing-to-train"


@dataclass(frozen=True)
class Paper:
    title: str
    doi: str
    year: int


@dataclass(frozen=True)
class Row:
    """One method.

    Parameters
    ----------
    path : module and class.
    task : one of `nbtools.tasks`.
    dims : numbers of spatial axes.
    needs : partners of a training image; "nothing" for none.
    welcomes : "unlabelled" where some training images may lack their partner.
    system : its name in the review.
    parameters : of its default network in 2D.
    also : further tasks that its results serve, as the centres of labels serve detection.
    target : module in `nbtools.targets` and class, where maps can be decoded again without loading
        a network.
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
    target: str | None = None
    also: tuple[str, ...] = ()
    welcomes: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Its task, and those that its results serve, too."""
        return (self.task, *self.also)

    def load_target(self, domain: Domain, settings: Mapping) -> Target:
        """Make the target of the method for a model.

        Parameters
        ----------
        domain : of the model.
        settings : of the model, as plain values.
        """
        module, _, name = self.target.partition(":")
        kind = getattr(importlib.import_module(f"nbtools.targets.{module}"), name)
        return kind.configure(domain, translate(settings))

    @property
    def trained(self) -> bool:
        return self.parameters > 0

    @property
    def classical(self) -> bool:
        """Predicts without having learned anything."""
        return not self.trained and self.needs == ("nothing",)

    @property
    def imported(self) -> bool:
        """Predicts with weights of others, and cannot learn."""
        return self.path.startswith("nbtools.methods.imported")

    @property
    def file(self) -> str:
        return self.path.partition(":")[0].replace(".", "/") + ".py"

    def describe(self, task: str | None = None) -> dict:
        """What `nbtools methods` tells, as plain values.

        Parameters
        ----------
        task : for which it is told; None for its own.
        """
        return {
            "name": self.name,
            "title": self.title,
            "task": tasks.get(task or self.task).name,
            "dims": list(self.dims),
            "needs": list(self.needs),
            "welcomes": list(self.welcomes),
            "paper": vars(self.paper).copy(),
            "system": self.system,
            "built_on": self.built_on,
            "parameters": self.parameters,
            "weights": self.weights,
            "lesson": self.lesson,
            "passport": self.passport(),
        }

    def passport(self) -> dict[str, str | None]:
        """The ten elements that reuse of a method needs, as in Figure 3A of the review.

        Each is a path in this repository, or None where it is missing. Where nothing is trained it
        is the place that says so.
        """
        weights = f"data/weights/{self.weights}" if self.weights else None
        missing = NOTHING if self.classical or self.imported else None
        ours = self.trained and not self.built_on
        return {
            "explanation": self.lesson,
            "code": self.file,
            "documentation": f"README.md#{self.name}",
            "environment": "constraints.txt",
            "trained_model": weights or missing,
            "training_data": f"{weights}/README.md" if weights else missing,
            "training_code": "nbtools/training/trainer.py" if ours else self.file,
            "training_routine": self.lesson,
            "training_documentation": f"{weights}/recipe.json" if weights else missing,
            "interface": WORKBENCHES.get(self.task, LIVE),
        }
