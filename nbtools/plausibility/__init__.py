"""The self-check of results: is this believable? Run by `predict`, `train`, `evaluate` and reports.

Each finding is a sentence with a remedy; findings are counted by their code.
"""

from nbtools.plausibility.class_names import ClassNames
from nbtools.plausibility.finding import Finding, summarize
from nbtools.plausibility.masks import MaskCount
from nbtools.plausibility.objects import judge_objects
from nbtools.plausibility.training import judge_gain, judge_scores, judge_training
from nbtools.plausibility.training_images import (
    FEW,
    judge_grey,
    judge_scale,
    judge_size,
    judge_spacing,
)

__all__ = [
    "FEW",
    "ClassNames",
    "Finding",
    "MaskCount",
    "judge_gain",
    "judge_grey",
    "judge_objects",
    "judge_scale",
    "judge_scores",
    "judge_size",
    "judge_spacing",
    "judge_training",
    "summarize",
]
