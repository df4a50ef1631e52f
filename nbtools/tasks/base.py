"""What a task is, what the scores of all tasks are called, and small samples with truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nbtools.metrics.bootstrap import Counting

if TYPE_CHECKING:
    from pathlib import Path

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
    write : (result, image, folder=) → row of the summary. Under "tables" the row holds the rows
        of tables of the whole folder, by file name.
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
    accepts : types of other tasks' results that `convert` makes a result of this task of.
    convert : such a result → a result of this task; one of its own stays as it is.
    unprocessed : truth → the result that leaves the image as it is; None where there is none.
    recall : folder of a result → options for its evaluation that the result itself knows.
    biaflows : (truth, result or None) → metrics of one image under the names of BIAFLOWS.
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
    summary: tuple[str, ...] = ()
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    panels: tuple[str, ...] = ()
    figures: Mapping[str, str] = field(default_factory=dict)
    baseline: str = ""
    guess: Callable[[ResultSet], tuple[str, ResultSet]] | None = None
    accepts: tuple[type, ...] = ()
    convert: Callable[[Result], Result] = lambda result: result
    unprocessed: Callable[[Result], Result | None] = lambda truth: None
    matching: str = ""
    sentence: Callable[[dict], str] = lambda scores: ""
    recall: Callable[[Path], dict] = lambda place: {}
    biaflows: Callable[[Result, Result | None], dict[str, float]] | None = None
    calibrated: bool = False
    evaluate_options: tuple[str, ...] = ()
    predict_options: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The metric by which methods are ranked."""
        return self.counting.metrics[0]
