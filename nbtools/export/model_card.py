"""What a package tells people of a model: card, documentation, cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import io, methods, show

if TYPE_CHECKING:
    from nbtools.methods.method import Method

ASKED = {
    "authors": "--author NAME, once per person",
    "licence": "--licence, an identifier of SPDX such as CC-BY-4.0",
    "description": "--description, one sentence",
}


@dataclass(frozen=True)
class ModelCard:
    """What no file of a model knows.

    Parameters
    ----------
    name : of the model.
    description : one sentence.
    authors : names.
    licence : identifier of SPDX, such as CC-BY-4.0.

    Examples
    --------
    >>> ModelCard(authors=("Ada Lovelace",)).list_missing()
    ['licence', 'description']
    """

    name: str = ""
    description: str = ""
    authors: Sequence[str] = ()
    licence: str = ""

    def list_missing(self) -> list[str]:
        """What of it was not given, by the names of `ASKED`."""
        return [name for name in ASKED if not getattr(self, name)]


def write_readme(path: Path, method: Method, *, card: ModelCard, remarks: Sequence[str]) -> None:
    """Write the documentation of a package.

    Parameters
    ----------
    path : of the file.
    method : trained.
    card : what only its authors know.
    remarks : what the package cannot express, a sentence each.
    """
    row, domain = methods.row(method.name), method.domain
    spacing = " x ".join(f"{one:g}" for one in domain.spacing or ())
    spacing = f"{spacing} {domain.unit}" if spacing else "unknown"
    size = f"{domain.nucleus_size:.0f} px" if domain.nucleus_size else "not measured"
    lines = [
        f"# {card.name or row.title}",
        "",
        card.description or f"{row.title}, trained with nbtools.",
        "",
        f"Method: {row.paper.title} ({row.paper.year}), doi:{row.paper.doi}.",
        "",
        f"- Axes: {domain.axes}, {domain.channels} channel(s).",
        f"- Pixel size of the training images: {spacing}.",
        f"- Median diameter of their nuclei: {size}.",
        f"- Grey values: {method.normalization.words}.",
        f"- Settings: {method.settings.to_dict()}.",
        f"- Decoding: {method.decoding_values()}.",
        "",
        "# Validation",
        "",
        "The test arrays are a simulated image and the maps of it; both weights give the same.",
        "Look at some images of your own before you trust it: images unlike those of the training",
        "give results that look right and are not.",
        *["", *remarks],
    ]
    io.write_text(path, "\n".join(lines) + "\n")


def draw_cover(image: np.ndarray, maps: np.ndarray) -> bytes:
    """Draw the test image and the first of its maps side by side, twice as wide as high.

    Parameters
    ----------
    image, maps : (1, *space, C) and (1, *space, K); of volumes the middle slice.

    Returns
    -------
    PNG of two squares.
    """
    grey = np.concatenate([_square(image), _square(maps)], axis=1)
    return show.array_to_png(np.stack([grey] * 3, axis=-1))


def _square(arrays: np.ndarray, *, side: int = 256) -> np.ndarray:
    """(side, side) uint8 of the first channel, its values spread from black to white."""
    plane = arrays[0, ..., 0]
    plane = plane[len(plane) // 2] if plane.ndim == 3 else plane
    rows, columns = (np.arange(side) * size // side for size in plane.shape)
    picked = plane[np.ix_(rows, columns)].astype(float)
    low, high = np.percentile(picked, (1, 99.8))
    return (255 * np.clip((picked - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)
