"""Hidden blocks: whole squares or cubes of a patch, to be predicted from what surrounds them.

He et al. 2022, doi:10.1109/CVPR52688.2022.01553 hide patches of natural images from a transformer;
here blocks are hidden from a convolutional network, by the mean of the patch. Who fills in a
nucleus knows what nuclei look like, and needs no label for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.patches import Example
from nbtools.targets.restored import RestoredTarget


def draw_blocks(
    rng: np.random.Generator, shape: tuple[int, ...], *, side: tuple[int, ...], share: float
) -> np.ndarray:
    """Draw blocks of a grid that is shifted at random.

    Parameters
    ----------
    rng : source of the draws.
    shape : (*space) of the patch.
    side : (ndim,) pixels of a block along each axis.
    share : of the blocks, 0 … 1.

    Returns
    -------
    (*shape) bool.

    Examples
    --------
    >>> mask = draw_blocks(np.random.default_rng(0), (64, 64), side=(8, 8), share=0.5)
    >>> mask.shape, bool(0.3 < mask.mean() < 0.7)
    ((64, 64), True)
    """
    count = [-(-n // s) + 1 for n, s in zip(shape, side, strict=True)]
    mask = rng.random(count) < share
    for axis, (n, s) in enumerate(zip(shape, side, strict=True)):
        first = int(rng.integers(s))
        mask = np.repeat(mask, s, axis=axis).take(range(first, first + n), axis=axis)
    return mask


@dataclass(frozen=True)
class HiddenBlocksTarget(RestoredTarget):
    """Grey values of hidden blocks, on the scale that the network is given.

    Parameters
    ----------
    block : side of a block in pixels of the finest axis.
    hidden : share of the blocks.
    """

    block: int = 8
    hidden: float = 0.4

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[np.ndarray, np.ndarray]:
        """The patch with blocks set to its mean, and (*space, C + 1): values, and 1 if hidden."""
        image, size = patch.image, self.relative_spacing or (1.0,) * self.ndim
        side = tuple(max(1, round(self.block / s)) for s in size)
        mask = draw_blocks(rng, image.shape[:-1], side=side, share=self.hidden)
        mean = image.mean(axis=tuple(range(self.ndim)))
        given = np.where(mask[..., None], mean, image).astype(np.float32)
        return given, np.concatenate([image, mask[..., None]], axis=-1).astype(np.float32)
