"""A histogram as noise model: counts of noisy values for each level of the signal.

References
----------
Krull et al. 2020, doi:10.3389/fcomp.2020.00005.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from nbtools.noise._values import Density

UNKNOWN = 1e-4  # probability that is spread evenly: a value never seen is unlikely, not impossible
A_BIN = 20  # pairs wished for in each bin that noise reaches; decides how many bins there are
ENOUGH = 30  # pairs that a row of the histogram needs to speak for itself


@dataclass(frozen=True, eq=False)
class HistogramModel(Density):
    """p(noisy | signal) as a histogram, one row per level of the signal; interpolated between rows.

    Parameters
    ----------
    low : grey value where the first bin begins, of signals and of noisy values.
    width : of a bin, in grey values.
    table : (n, n) density per grey value; each row integrates to 1 over the noisy values. Values
        outside the range count as its ends.

    References
    ----------
    Krull et al. 2020, doi:10.3389/fcomp.2020.00005.
    """

    low: float
    width: float
    table: np.ndarray

    @classmethod
    def fit(cls, noisy: np.ndarray, signal: np.ndarray) -> HistogramModel:
        """Count pairs of noisy values and signals; the more pairs, the finer the bins.

        A row with too few pairs takes the nearest row with enough of them, moved along with the
        signal.

        Parameters
        ----------
        noisy : (n,) grey values.
        signal : (n,) grey values.
        """
        low, high = np.percentile(noisy, (0.01, 99.99)).tolist()
        band = max(6 * float((noisy - signal).std()), 1e-6)  # where the counts of a row are
        bins = int(np.clip(np.sqrt(len(noisy) / A_BIN * max(1.0, (high - low) / band)), 16, 256))
        width = max((high - low) / bins, 1e-6)
        if (
            noisy == np.round(noisy)
        ).all():  # bins of unequal numbers of grey values would show as stripes
            low = np.floor(low) - 0.5
            width = np.ceil(width)
        bins = max(2, int(np.ceil((high - low) / width)))
        place = [np.clip(((v - low) / width).astype(int), 0, bins - 1) for v in (signal, noisy)]
        counts = np.bincount(place[0] * bins + place[1], minlength=bins * bins)
        return cls(
            float(low),
            float(width),
            _to_density(_fill_rows(counts.reshape(bins, bins).astype(float)), width),
        )

    def log_likelihood(
        self, noisy: np.ndarray, signal: np.ndarray, *, ops: ModuleType = np
    ) -> np.ndarray:
        """log p(noisy | signal); with `ops=keras.ops` on tensors."""
        last = len(self.table) - 1
        row = ops.clip((signal - self.low) / self.width - 0.5, 0.0, float(last))
        first = ops.clip(ops.floor(row), 0.0, float(last - 1))
        column = ops.clip(ops.floor((noisy - self.low) / self.width), 0.0, float(last))
        place = first * (last + 1) + column
        place = place.astype("int32") if ops is np else ops.cast(place, "int32")
        flat = self.table.astype(np.float32).ravel()
        share = row - first
        return ops.log(
            (1.0 - share) * ops.take(flat, place) + share * ops.take(flat, place + last + 1)
        )

    def noise_std(self, signal: np.ndarray) -> np.ndarray:
        """Standard deviation of the noisy values at these signals."""
        centres = self.low + self.width * (np.arange(len(self.table)) + 0.5)
        share = self.table * self.width
        mean = share @ centres
        return np.sqrt(np.interp(signal, centres, share @ centres**2 - mean**2))


def _fill_rows(counts: np.ndarray) -> np.ndarray:
    """Replace rows with too few counts by the nearest full one, moved with the signal: (n, n)."""
    totals = counts.sum(axis=1)
    enough = totals >= min(ENOUGH, totals.max())
    full = np.flatnonzero(enough)
    found = counts.copy()
    for row in np.flatnonzero(~enough):
        nearest = full[np.argmin(np.abs(full - row))]
        found[row] = np.bincount(
            np.clip(np.arange(len(counts)) + row - nearest, 0, len(counts) - 1),
            counts[nearest],
            len(counts),
        )
    return found


def _to_density(counts: np.ndarray, width: float) -> np.ndarray:
    share = counts / counts.sum(axis=1, keepdims=True)
    return ((1 - UNKNOWN) * share + UNKNOWN / counts.shape[1]) / width
