"""A mixture of Gaussians as noise model, with polynomials of the signal as parameters.

References
----------
Prakash et al. 2020, doi:10.1109/ISBI45749.2020.9098612.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from types import ModuleType

import numpy as np
from scipy.optimize import minimize

from nbtools.noise._values import Density, subsample

LEVELS = 32  # parts of the range of signals, with equal weight in the fit: bright pixels are rare
PAIRS_PER_LEVEL = 600


@dataclass(frozen=True, eq=False)
class MixtureModel(Density):
    """p(noisy | signal) as a sum of Gaussians with polynomials of the signal as parameters.

    The weighted mean of the Gaussians is the signal itself, and no variance is below `floor`.

    Parameters
    ----------
    low, high : range of the signals of the fit, which the polynomials map to 0 … 1.
    unit : grey values; offsets and variances are in this unit.
    floor : smallest variance, in grey values squared.
    weights, offsets, variances : (K, D) coefficients of 1, t, t² … of each Gaussian; weights
        before their softmax.

    References
    ----------
    Prakash et al. 2020, doi:10.1109/ISBI45749.2020.9098612.
    """

    low: float
    high: float
    unit: float
    floor: float
    weights: np.ndarray
    offsets: np.ndarray
    variances: np.ndarray

    @classmethod
    def fit(
        cls, noisy: np.ndarray, signal: np.ndarray, *, gaussians: int = 3, coefficients: int = 2
    ) -> MixtureModel:
        """Fit the mixture to pairs of noisy values and signals, by maximum likelihood.

        Parameters
        ----------
        noisy : (n,) grey values.
        signal : (n,) grey values.
        gaussians : K, number of Gaussians.
        coefficients : D, number of coefficients of each polynomial.
        """
        noisy, signal = _draw_by_level(noisy, signal)
        low = float(signal.min())
        span = float(np.ptp(signal)) or 1.0
        powers = ((signal - low) / span)[:, None] ** np.arange(coefficients)
        rest = noisy - signal
        unit = float(rest.std()) or 1.0
        line, least = _start_variances(powers, (rest / unit) ** 2)
        apart = np.linspace(-1, 1, gaussians)
        start = np.zeros((3, gaussians, coefficients))
        start[1, :, 0] = 0.3 * apart
        start[2] = line * (1 + 0.5 * apart)[:, None]
        found = minimize(
            _cost,
            start.ravel(),
            args=(powers, rest / unit, least),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 200, "ftol": 1e-7},
        )
        return cls(low, low + span, unit, least * unit**2, *found.x.reshape(start.shape))

    def log_likelihood(
        self, noisy: np.ndarray, signal: np.ndarray, *, ops: ModuleType = np
    ) -> np.ndarray:
        """log p(noisy | signal); with `ops=keras.ops` on tensors."""
        parts = zip(*self.describe(signal, ops=ops), strict=True)
        terms = [
            w - 0.5 * (ops.log(2 * np.pi * v) + ops.square(noisy - m) / v) for w, m, v in parts
        ]
        return _log_sum(terms, ops)

    def describe(self, signal: np.ndarray, *, ops: ModuleType = np) -> tuple[list, list, list]:
        """The Gaussians at these signals.

        Parameters
        ----------
        signal : grey values, of any shape.
        ops : NumPy, or `keras.ops` for tensors.

        Returns
        -------
        log_weights, means, variances : lists of K arrays of the shape of `signal`.
        """
        t = (signal - self.low) / (self.high - self.low)
        # the variance is extrapolated beyond the range of the fit, weights and offsets are not
        inside = ops.clip(t, 0.0, 1.0)
        weights = [_polynomial(c, inside) for c in self.weights.tolist()]
        total = _log_sum(weights, ops)
        weights = [w - total for w in weights]
        offsets = [_polynomial(c, inside) for c in self.offsets.tolist()]
        mean = sum(ops.exp(w) * o for w, o in zip(weights, offsets, strict=True))
        variances = [
            ops.maximum(self.unit**2 * _polynomial(c, t), self.floor)
            for c in self.variances.tolist()
        ]
        return weights, [signal + self.unit * (o - mean) for o in offsets], variances

    def noise_std(self, signal: np.ndarray) -> np.ndarray:
        """Standard deviation of the noisy values at these signals."""
        parts = zip(*self.describe(signal), strict=True)
        return np.sqrt(sum(np.exp(w) * (v + (m - signal) ** 2) for w, m, v in parts))


def _polynomial(coefficients: list[float], t: np.ndarray) -> np.ndarray:
    value = coefficients[-1] + 0.0 * t
    for coefficient in reversed(coefficients[:-1]):
        value = value * t + coefficient
    return value


def _log_sum(terms: list, ops: ModuleType) -> np.ndarray:
    """log(sum(exp)) of a list of arrays."""
    top = reduce(ops.maximum, terms)
    return top + ops.log(sum(ops.exp(term - top) for term in terms))


def _cost(
    packed: np.ndarray, powers: np.ndarray, rest: np.ndarray, least: float
) -> tuple[float, np.ndarray]:
    """Mean of -log p of the pairs, and its gradient, in units of the noise.

    powers : (n, D). rest : (n,) noisy minus signal.
    """
    logits, offsets, raw = packed.reshape(3, -1, powers.shape[1]) @ powers.T  # (K, n) each
    share = np.exp(logits - logits.max(axis=0))
    share /= share.sum(axis=0)
    mean = (share * offsets).sum(axis=0)
    variance = np.maximum(raw, least)
    away = rest - (offsets - mean)
    logs = np.log(share + 1e-300) - 0.5 * (np.log(2 * np.pi * variance) + away**2 / variance)
    top = logs.max(axis=0)
    owner = np.exp(logs - top)
    total = owner.sum(axis=0)
    owner /= total
    pull = owner * away / variance  # of each Gaussian's mean
    all_pulls = pull.sum(axis=0)
    to_logits = owner - share - all_pulls * share * (offsets - mean)
    to_offsets = pull - share * all_pulls
    to_variances = 0.5 * owner * (away**2 / variance - 1) / variance * (raw > least)
    gradient = np.stack([to_logits, to_offsets, to_variances]) @ powers
    return -float((top + np.log(total)).mean()), -gradient.ravel() / len(rest)


def _start_variances(powers: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients of the variance by least squares, and its smallest allowed value.

    That is a quarter of the smallest variance of any level.
    """
    level = np.zeros(len(powers), int)
    if powers.shape[1] > 1:
        level = np.minimum((powers[:, 1] * LEVELS).astype(int), LEVELS - 1)
    counts = np.bincount(level, minlength=LEVELS)
    found = np.bincount(level, squares, minlength=LEVELS)[counts > 20] / counts[counts > 20]
    least = max(0.25 * float(found.min()), 1e-4) if len(found) else 1e-2
    line = np.linalg.lstsq(powers, squares, rcond=None)[0]
    if not (powers @ line > least).all():
        line = np.eye(len(line))[0]
    return line, least


def _draw_by_level(noisy: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most PAIRS_PER_LEVEL pairs of each level of the signal.

    The draw depends on the signal alone, so that p(noisy | signal) does not change.
    """
    span = float(np.ptp(signal)) or 1.0
    level = np.minimum(((signal - signal.min()) / span * LEVELS).astype(int), LEVELS - 1)
    rng = np.random.default_rng(0)
    drawn = [
        subsample(rng, np.flatnonzero(level == k), most=PAIRS_PER_LEVEL) for k in range(LEVELS)
    ]
    kept = np.concatenate(drawn)
    return noisy[kept].astype(float), signal[kept].astype(float)
