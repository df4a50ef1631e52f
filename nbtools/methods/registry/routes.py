"""Ways through few labels that are no method of their own: they go with every method that fits.

`nbtools methods` lists them behind the methods, with the same keys and "kind": "route".
"""

from __future__ import annotations

from dataclasses import dataclass

from nbtools.methods.registry.row import NOTHING, Paper


@dataclass(frozen=True)
class Route:
    """One way.

    Parameters
    ----------
    title : what it is.
    command : how it is gone; METHOD, DATASET and MODEL stand for one's own.
    system : its name in the review.
    file : module that does it.
    """

    name: str
    title: str
    command: str
    system: str
    file: str
    paper: Paper
    lesson: str
    needs: tuple[str, ...] = ("labels",)
    dims: tuple[int, ...] = (2, 3)
    task: str = "instances"

    def describe(self) -> dict:
        """As `Row.describe`, with the command."""
        same = ("name", "title", "task", "system", "lesson", "command")
        return {name: getattr(self, name) for name in same} | {
            "kind": "route",
            "dims": list(self.dims),
            "needs": list(self.needs),
            "welcomes": [],
            "paper": vars(self.paper).copy(),
            "built_on": None,
            "parameters": 0,
            "weights": None,
            "passport": self.passport(),
        }

    def passport(self) -> dict[str, str]:
        """The ten elements that reuse needs; what is trained is the method that goes the way."""
        return {
            "explanation": self.lesson,
            "code": self.file,
            "documentation": f"README.md#{self.name}",
            "environment": "constraints.txt",
            "trained_model": NOTHING,
            "training_data": "data/samples",
            "training_code": "nbtools/training/trainer.py",
            "training_routine": self.lesson,
            "training_documentation": NOTHING,
            "interface": "notebooks/workbench_segment.ipynb",
        }


ROUTES = (
    Route(
        name="augment",
        title="Augmentation: each patch turned, scaled or bent, nuclei copied, grey values varied",
        command="nbtools train METHOD DATASET --set augmentation=strong --out MODEL",
        system="augmentation (batchgenerators)",
        file="nbtools/augment.py",
        paper=Paper(
            "batchgenerators: a python framework for data augmentation",
            "10.5281/zenodo.3632567",
            2020,
        ),
        lesson="notebooks/09_find_the_nuclei.ipynb",
    ),
    Route(
        name="simulate",
        title="Simulation: images with exact truth to learn from",
        command="nbtools simulate nuclei3d --count 20 --out DATASET",
        system="simulation (CytoPacq)",
        file="nbtools/simulate/__init__.py",
        paper=Paper(
            "CytoPacq: a web-interface for simulating multi-dimensional cell imaging",
            "10.1093/bioinformatics/btz417",
            2019,
        ),
        lesson="notebooks/04_simulate_nuclei.ipynb",
        needs=("nothing",),
    ),
    Route(
        name="partial_labels",
        title="Partial labels: pixels of -1 were not looked at, and teach nothing",
        command="nbtools train METHOD DATASET --out MODEL (labels with -1 where nobody looked)",
        system="partial labels",
        file="nbtools/losses.py",
        paper=Paper(
            "3D U-Net: learning dense volumetric segmentation from sparse annotation",
            "10.1007/978-3-319-46723-8_49",
            2016,
        ),
        lesson="notebooks/14_few_labels.ipynb",
    ),
    Route(
        name="next",
        title="Active learning: the images and nuclei whose labels would teach most",
        command="nbtools next MODEL IMAGES",
        system="active learning",
        file="nbtools/cli/next_labels.py",
        paper=Paper(
            "A survey on active learning and human-in-the-loop deep learning for medical image "
            "analysis",
            "10.1016/j.media.2021.102062",
            2021,
        ),
        lesson="notebooks/14_few_labels.ipynb",
    ),
    Route(
        name="transfer",
        title="Transfer learning: training begins with the weights of another model",
        command="nbtools train METHOD DATASET --init MODEL [--init-parts encoder] --out MODEL",
        system="transfer learning",
        file="nbtools/training/fine_tuning.py",
        paper=Paper(
            "How transferable are features in deep neural networks?",
            "10.48550/arXiv.1411.1792",
            2014,
        ),
        lesson="notebooks/14_few_labels.ipynb",
    ),
)


def list_routes(task: str | None = None) -> list[dict]:
    """The ways that serve a task, or all, as plain values.

    Parameters
    ----------
    task : of the vocabulary; None for all.
    """
    return [one.describe() for one in ROUTES if task in (None, one.task)]


def find_route(name: str) -> Route | None:
    """A way by its name; None where there is none."""
    return next((one for one in ROUTES if one.name == name), None)
