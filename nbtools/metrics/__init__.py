"""Scores of results, one module per task; `compare` for several methods, `frc` for resolution.

No network and no files. Nothing here chooses anything: a threshold or a checkpoint is chosen in
training, on the validation images. `Method.fit` receives training and validation images only, so
test images reach nothing but the metrics.
"""

from nbtools.metrics import (
    agreement,
    biaflows,
    classification,
    compare,
    detection,
    frc,
    instances,
    restoration,
    semantic,
    statistics,
    strata,
)
from nbtools.metrics.pairing import evaluate_each, pair_results

__all__ = [
    "agreement",
    "biaflows",
    "classification",
    "compare",
    "detection",
    "evaluate_each",
    "frc",
    "instances",
    "pair_results",
    "restoration",
    "semantic",
    "statistics",
    "strata",
]
