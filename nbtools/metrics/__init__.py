"""Numbers that say how good a result is, by task; `compare` for several methods, `frc` for
resolution. No network, no files.

None of these chooses anything. A threshold or a checkpoint is chosen where a model is trained, on
the validation images: `Method.fit` takes training and validation images only, so that the images of
the test reach nothing but the metrics.
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
