"""The loss on validation images, during training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nbtools.training.examples import Examples, stack_arrays
from nbtools.training.step import TrainStep

BATCHES = 4


def make_validation(
    step: TrainStep,
    examples: Examples,
    *,
    draw_pair: Callable,
    batch_size: int,
    seed: int,
    batches: int = BATCHES,
) -> Callable[[], dict]:
    """Make a function that measures the loss on a few fixed patches of the validation images.

    Parameters
    ----------
    step : of the training.
    examples : validation images.
    draw_pair : (rng, example) → (x, y) of a patch that is not varied.
    batch_size : patches per batch.
    seed : of the patches.
    batches : their number; images take turns.

    Returns
    -------
    () → {"val_loss": …}; without images, () → {}.
    """
    if not len(examples):
        return dict
    rng = np.random.default_rng([seed, 2**31])
    count = batches * batch_size
    drawn = [draw_pair(rng, examples[i % len(examples)]) for i in range(count)]
    starts = range(0, count, batch_size)
    made = [tuple(map(stack_arrays, zip(*drawn[i : i + batch_size], strict=True))) for i in starts]

    def validate() -> dict:
        return {"val_loss": float(np.mean([step.validate(batch)["loss"] for batch in made]))}

    return validate
