"""Jigsaw: tiles of a patch change places, and each pixel is to tell where its tile came from.

After Noroozi & Favaro 2016, doi:10.1007/978-3-319-46466-4_5, who tell permutations of nine tiles
apart. Between tiles a margin is cut, and each is scaled by itself: otherwise lines across the cuts
and differences in brightness would give the places away, and nothing would be learned of nuclei.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from types import ModuleType
from typing import ClassVar

import numpy as np

from nbtools.image import Image
from nbtools.patches import Example
from nbtools.results import ClassMap
from nbtools.targets.base import Target, softmax

MARGIN = 0.15  # of a tile that is cut, at most, on the two sides together


@dataclass(frozen=True)
class JigsawTarget(Target):
    """The place in the patch that each pixel came from, as one of `tiles`.

    Parameters
    ----------
    tiles : along each axis of the plane; in volumes two along Z.
    """

    tiles: int = 3

    per_patch: ClassVar = True
    rescales: ClassVar = False

    @property
    def grid(self) -> tuple[int, ...]:
        """Tiles along each axis."""
        return (2, self.tiles, self.tiles)[-self.ndim :]

    @property
    def outputs(self) -> dict[str, int]:
        return {"place": int(np.prod(self.grid))}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the places: "tile 0", … in the order of the axes."""
        return tuple(f"tile {n}" for n in range(self.outputs["place"]))

    def encode(self, example: Example) -> np.ndarray:
        """(*space, K + 1): 1 for the place of each pixel in the patch as it is, and a weight."""
        return self.shuffle(np.random.default_rng(0), example.image, mix=False)[1]

    def make_pair(self, rng: np.random.Generator, patch: Example) -> tuple[np.ndarray, np.ndarray]:
        """The patch with its tiles in other places, and where they came from."""
        return self.shuffle(rng, patch.image)

    def shuffle(
        self, rng: np.random.Generator, image: np.ndarray, *, mix: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cut a patch into tiles, and put them together in another order.

        Parameters
        ----------
        rng : source of the order and of the margins.
        image : (*space, C) patch.
        mix : False leaves every tile in its place.

        Returns
        -------
        (*space, C): tiles of mean 0 and variance 1, 0 between them; and (*space, K + 1): 1 for the
        place that a pixel came from, 0 in all where there is no tile, and the weight 1.
        """
        shape, count = image.shape[:-1], self.outputs["place"]
        size = [max(1, n // g) for n, g in zip(shape, self.grid, strict=True)]
        corners = [tuple(np.array(c) * size) for c in product(*map(range, self.grid))]
        order = rng.permutation(count) if mix else np.arange(count)
        given = np.zeros(image.shape, np.float32)
        truth = np.zeros((*shape, count + 1), np.float32)
        truth[..., -1] = 1
        for place, source in enumerate(order):
            margin = [int(rng.integers(0, int(MARGIN * s) + 1)) for s in size]
            read = _tile(corners[source], size, margin=margin)
            write = _tile(corners[place], size, margin=margin)
            given[write] = standardise(image[read])
            truth[(*write, int(source))] = 1
        return given, truth

    def activate(self, raw: np.ndarray, ops: ModuleType = np) -> np.ndarray:
        """Logits → probabilities of the places."""
        return softmax(raw, ops)

    def decode(self, maps: np.ndarray) -> ClassMap:
        """(*space, K) probabilities → the most probable place of each pixel."""
        return ClassMap(Image(maps.argmax(axis=-1).astype(np.uint8), self.axes), self.names)


def _tile(corner: tuple[int, ...], size: list[int], *, margin: list[int]) -> tuple[slice, ...]:
    """Pixels of a tile, without its margin on either side."""
    about = zip(corner, size, margin, strict=True)
    return tuple(slice(int(c + m // 2), int(c + s - (m - m // 2))) for c, s, m in about)


def standardise(tile: np.ndarray) -> np.ndarray:
    """(*tile, C) → the same of mean 0 and variance 1 in each channel; a constant one is 0."""
    axes = tuple(range(tile.ndim - 1))
    spread = tile.std(axis=axes)
    return (tile - tile.mean(axis=axes)) / np.where(spread > 1e-6, spread, 1.0)
