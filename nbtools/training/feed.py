"""Batches made by background threads while the network computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

Draw = Callable[[np.random.Generator], tuple]  # a batch (x, y) from a generator of its own


def prefetch(
    draw: Draw, steps: range, *, seed: int, ahead: int = 3, threads: int = 2
) -> Iterator[tuple[int, tuple]]:
    """Draw the batches of successive steps ahead of time, by background threads.

    The batch of a step depends on (seed, step) alone, not on the threads.

    Parameters
    ----------
    draw : random generator → batch.
    steps : numbers of the steps; batches come in their order.
    seed : of the training.
    ahead : how many batches are drawn in advance.
    threads : that draw.

    Yields
    ------
    Step and its batch.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(draw, np.random.default_rng([seed, step])) for step in steps[:ahead]]
        try:
            for i, step in enumerate(steps):
                batch = waiting.pop(0).result()
                if i + ahead < len(steps):
                    waiting.append(
                        pool.submit(draw, np.random.default_rng([seed, steps[i + ahead]]))
                    )
                yield step, batch
        finally:
            for future in waiting:
                future.cancel()
