"""What a data set is like, and the plan of a training that follows from it, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Fingerprint:
    """Properties of a data set, with a value for each image.

    Parameters
    ----------
    shapes : pixels along each spatial axis.
    spacings : pixel sizes in `unit`, None for an image without.
    unit : of the spacings.
    grey : mean and standard deviation.
    diameters : of each nucleus, in pixels of the image; () without labels.
    """

    shapes: tuple[tuple[int, ...], ...]
    spacings: tuple[tuple[float, ...] | None, ...]
    unit: str = "um"
    grey: tuple[tuple[float, float], ...] = ()
    diameters: tuple[tuple[float, ...], ...] = ()

    @property
    def ndim(self) -> int:
        return len(self.shapes[0])

    def summary(self) -> dict[str, list]:
        """Columns of a table: smallest, median and largest of everything."""
        axes, known = "ZYX"[-self.ndim :], [s for s in self.spacings if s]
        rows = {f"size {a} (px)": [s[i] for s in self.shapes] for i, a in enumerate(axes)}
        rows |= (
            {f"spacing {a} ({self.unit})": [s[i] for s in known] for i, a in enumerate(axes)}
            if known
            else {}
        )
        rows |= (
            {"mean grey value": [m for m, _ in self.grey], "its spread": [s for _, s in self.grey]}
            if self.grey
            else {}
        )
        rows |= (
            {
                "nuclei": [len(d) for d in self.diameters],
                "diameter (px)": [x for d in self.diameters for x in d],
            }
            if self.diameters
            else {}
        )
        rows = {name: values for name, values in rows.items() if values}
        columns = {"smallest": np.min, "median": np.median, "largest": np.max}
        return {"of each image": list(rows)} | {
            n: [float(f(v)) for v in rows.values()] for n, f in columns.items()
        }


@dataclass(frozen=True)
class Budget:
    """What the machine can take.

    Parameters
    ----------
    memory_gb : memory of a graphics card in training, in GB.
    width : channels of the first level.
    """

    memory_gb: float = 8.0
    width: int = 32


@dataclass(frozen=True)
class Levels:
    """Levels of a network, the finest first.

    Parameters
    ----------
    kernels : of each level, one size per spatial axis.
    strides : factor by which each further level is smaller, one per spatial axis.
    """

    kernels: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]

    @property
    def grid(self) -> np.ndarray:
        """What the sizes of a patch must be multiples of."""
        return np.prod([(1,) * len(self.kernels[0]), *self.strides], axis=0)


@dataclass(frozen=True)
class Plan:
    """Settings that follow from a data set, and why.

    Parameters
    ----------
    spacing : pixel size that all images are brought to, None where none is known.
    shape : median shape of the images at that pixel size.
    patch : shape of a training patch, in pixels.
    batch : number of patches per training step.
    widths, kernels, strides : of the levels, finest first.
    reasons : one sentence per decision.
    """

    spacing: tuple[float, ...] | None
    shape: tuple[int, ...]
    patch: tuple[int, ...]
    batch: int
    widths: tuple[int, ...]
    kernels: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.reasons)

    @property
    def rim(self) -> tuple[int, ...]:
        """Axes whose pixels are short enough for a kernel of 3 at the finest level.

        Along these a nucleus has a rim against the background.
        """
        return tuple(axis for axis, kernel in enumerate(self.kernels[0]) if kernel > 1)

    def to_dict(self) -> dict:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Plan:
        """The plan of a saved model."""
        return cls(**{name: _freeze(value) for name, value in values.items()})


def _freeze(value: object) -> object:
    return tuple(map(_freeze, value)) if isinstance(value, (list, tuple)) else value
