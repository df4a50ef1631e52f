"""What a task is, what the scores of all tasks are called, and small samples with truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nbtools.data import Sample
from nbtools.image import Image
from nbtools.metrics.bootstrap import Counting

if TYPE_CHECKING:
    from nbtools.results import Result
    from nbtools.tasks.reading import ResultSet

TITLES = {
    "mean_ap": "mean AP",
    "ap50": "AP at IoU 0.50",
    "ap75": "AP at IoU 0.75",
    "f1_50": "F1 at IoU 0.50",
    "f1": "F1",
    "ap": "AP",
    "dice": "Dice",
    "iou": "IoU",
    "psnr": "PSNR (dB)",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
}  # metric → what it is called in text and figures, where that is not its name


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Everything that the toolkit knows of a kind of result: its file, metrics, figures, baseline.

    Parameters
    ----------
    name : one of the vocabulary, see `nbtools.tasks.TASKS`.
    results : the types of `nbtools.results` that are a result of this task.
    partner : what training images are paired with: "labels", "points", "boxes", "classes",
        "clean", "paired"; None without.
    write : (result, image, folder=) → row of the summary. Under "tables" the row holds the rows of
        tables of the whole folder, by file name.
    read, read_truth : (place, what=, options=) → `ResultSet` of a file, folder or data set.
    evaluate : (pairs of name, truth, result or None; groups=, seed=, and `evaluate_options`) →
        scores, as plain JSON values that carry the name of the task.
    format : scores → lines for a person.
    sentence : scores → a sentence for the methods section of a paper, "" where there is none.
    tuning_score : pairs of (truth, result) → a number to make large, on validation images.
    counting : how scores add up over images, and the metrics by which methods are compared.
    columns : of the table of a comparison.
    summary : columns of summary.csv, beside name and seconds.
    tables : tables of a whole result folder → their columns, () where the rows tell them.
    panels : metrics that a figure shows as bars.
    missing : how an image without a result counts.
    matching : a sentence on how scores are counted, for the methods section of a paper.
    terms : what the words of the scores mean, in paragraphs "word: meaning".
    done : what happened to the images, as in "3 images were restored".
    figures : what is drawn ("overlay", "scores", "evaluation", "errors", "strata") → the name of
        the function of `nbtools.show` that draws it.
    baseline : name of the method without training that others are compared with; "" without.
    guess : truth → name and results of the best guess without looking at images; None without.
    unprocessed : truth → the result that leaves the image as it is; None where there is none.
    biaflows : (truth, result or None) → metrics of one image under the names of BIAFLOWS.
    example : (rng, ndim) → a small sample with truth.
    calibrated : scores depend on the pixel size.
    evaluate_options, predict_options : names of command line options that this task has.
    """

    name: str
    results: tuple[type, ...]
    partner: str | None
    write: Callable[..., dict]
    read: Callable[..., ResultSet]
    read_truth: Callable[..., ResultSet]
    evaluate: Callable[..., dict]
    format: Callable[[dict], list[str]]
    tuning_score: Callable[[list[tuple]], float]
    counting: Counting
    columns: tuple[str, ...]
    missing: str
    terms: str
    done: str
    example: Callable[[np.random.Generator, int], Sample]
    summary: tuple[str, ...] = ()
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    panels: tuple[str, ...] = ()
    figures: Mapping[str, str] = field(default_factory=dict)
    baseline: str = ""
    guess: Callable[[ResultSet], tuple[str, ResultSet]] | None = None
    unprocessed: Callable[[Result], Result | None] = lambda truth: None
    matching: str = ""
    sentence: Callable[[dict], str] = lambda scores: ""
    biaflows: Callable[[Result, Result | None], dict[str, float]] | None = None
    calibrated: bool = False
    evaluate_options: tuple[str, ...] = ()
    predict_options: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The metric by which methods are ranked."""
        return self.counting.metrics[0]


def make_example(
    rng: np.random.Generator, ndim: int, *, partners: tuple[str, ...] = ("label",)
) -> Sample:
    """A dim, noisy image of two bright blobs, large ones or small ones, with some of its partners.

    Parameters
    ----------
    rng : the source of noise, places and size.
    ndim : 2 or 3.
    partners : of "label", "clean", "centres", "boxes", "class_name": what the sample has of truth.

    Examples
    --------
    >>> sample = make_example(np.random.default_rng(0), 2, partners=("centres", "class_name"))
    >>> sample.centres.shape, sample.class_name in ("small", "large"), sample.label
    ((2, 2), True, None)
    """
    shape = (9, 33, 41) if ndim == 3 else (70, 83)
    kind = str(rng.choice(["small", "large"]))
    radius = np.array((3.0, 7.0, 7.0) if kind == "large" else (2.0, 4.0, 4.0))[-ndim:]
    centres = [np.array(shape) * part + rng.uniform(-2, 2, ndim) for part in (0.3, 0.7)]
    grid = np.moveaxis(np.indices(shape), 0, -1)
    label = np.zeros(shape, np.uint16)
    for number, centre in enumerate(centres, 1):
        label[(((grid - centre) / radius) ** 2).sum(axis=-1) < 1] = number
    clean = (100 + 400 * (label > 0)).astype(np.float32)
    pixels = (clean + rng.normal(0, 20, shape)).clip(0).astype(np.uint16)
    image = Image(pixels, "ZYX"[-ndim:], (1.0, 0.4, 0.4)[-ndim:], name="example")
    truth = {
        "label": image.replace(pixels=label),
        "clean": image.replace(pixels=clean),
        "centres": np.array(centres),
        "boxes": np.array([find_box(label == number) for number in (1, 2)], float),
        "class_name": kind,
    }
    return Sample(image.name, image, **{name: truth[name] for name in partners})


def find_box(mask: np.ndarray) -> list[int]:
    """The half-open box of a mask: y0, x0, y1, x1 and in 3D z0, z1, as `io.read_boxes` has them."""
    places = np.argwhere(mask)
    low, high = places.min(axis=0), places.max(axis=0) + 1
    return [*low[-2:], *high[-2:], *low[:-2], *high[:-2]]
