"""What a network does, in NumPy: weighted sums, a loss, gradient descent, convolution, pooling.

For lesson 05, which computes each by hand before Keras does; plain and slow on purpose.

References
----------
Mougeot et al. 2022, doi:10.1242/jcs.258986, Figures 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtools.errors import UserError


@dataclass(frozen=True, eq=False)
class Descent:
    """The way of gradient descent down the loss.

    Parameters
    ----------
    weights : (steps + 1, D) before the first and after each step.
    losses : (steps + 1,) of these weights.
    learning_rate : that was used.
    """

    weights: np.ndarray
    losses: np.ndarray
    learning_rate: float


def sigmoid(score: np.ndarray) -> np.ndarray:
    """Squeeze any number between 0 and 1, a probability.

    Parameters
    ----------
    score : any array.

    Examples
    --------
    >>> sigmoid(np.array([-50.0, 0.0, 50.0])).round(2).tolist()
    [0.0, 0.5, 1.0]
    """
    return 0.5 * (1 + np.tanh(np.asarray(score, float) / 2))


def measure_loss(features: np.ndarray, answers: np.ndarray, *, weights: np.ndarray) -> float:
    """Cross-entropy: the mean of minus the logarithm of the probability of the right answer.

    Parameters
    ----------
    features : (N, D) measurements.
    answers : (N,) 0 or 1.
    weights : (D,) of the weighted sum, whose sigmoid is the probability of answer 1.

    Examples
    --------
    >>> one, no_opinion = np.ones((1, 1)), np.zeros(1)
    >>> round(measure_loss(one, answers=np.ones(1), weights=no_opinion), 3)
    0.693
    """
    score = np.asarray(features) @ np.asarray(weights)
    wrong_side = np.where(np.asarray(answers, bool), -score, score)
    return float(np.logaddexp(0, wrong_side).mean())


def measure_gradient(
    features: np.ndarray, answers: np.ndarray, *, weights: np.ndarray
) -> np.ndarray:
    """How fast the loss rises with each weight.

    Parameters
    ----------
    features, answers, weights : as `measure_loss` takes them.

    Returns
    -------
    (D,) gradient.
    """
    features = np.asarray(features)
    error = sigmoid(features @ np.asarray(weights)) - np.asarray(answers)
    return features.T @ error / len(features)


def descend(
    features: np.ndarray,
    answers: np.ndarray,
    *,
    learning_rate: float,
    steps: int,
    start: tuple[float, ...] | None = None,
) -> Descent:
    """Gradient descent: in each step, the weights move against the gradient.

    Parameters
    ----------
    features, answers : as `measure_loss` takes them.
    learning_rate : factor of the gradient in each step.
    steps : their number; each sees all features.
    start : first weights; by default 0.

    Examples
    --------
    >>> features, answers = np.array([[1.0], [-1.0]]), np.array([1, 0])
    >>> descend(features, answers, learning_rate=1.0, steps=2).losses.round(2).tolist()
    [0.69, 0.47, 0.35]
    """
    width = np.shape(features)[1]
    weights = np.zeros(width) if start is None else np.array(start, float)
    path = [weights]
    for _ in range(steps):
        weights = weights - learning_rate * measure_gradient(features, answers, weights=weights)
        path.append(weights)
    losses = [measure_loss(features, answers, weights=w) for w in path]
    return Descent(np.array(path), np.array(losses), learning_rate)


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide a kernel over an image; each place gives one weighted sum.

    As in deep learning, the kernel is not flipped (mathematics calls that a cross-correlation), and
    only places where it lies inside the image count.

    Parameters
    ----------
    image : (H, W).
    kernel : (h, w) weights.

    Returns
    -------
    (H - h + 1, W - w + 1) float.

    Raises
    ------
    UserError : a kernel larger than the image, or arrays that are not flat.

    Examples
    --------
    >>> convolve(np.array([[1, 2, 4]]), np.array([[-1, 1]])).tolist()
    [[1.0, 2.0]]
    """
    image, kernel = np.asarray(image, float), np.asarray(kernel, float)
    if image.ndim != 2 or kernel.ndim != 2 or np.any(np.less(image.shape, kernel.shape)):
        raise UserError(
            "A kernel must fit into a flat image.",
            f"a kernel of {kernel.shape} and an image of {image.shape}",
            "Use an image (Y, X) with at least as many rows and columns as the kernel.",
        )
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return (windows * kernel).sum(axis=(-2, -1))


def relu(image: np.ndarray) -> np.ndarray:
    """Keep what is above 0; the most common activation.

    Parameters
    ----------
    image : any array.

    Examples
    --------
    >>> relu(np.array([-2.0, 3.0])).tolist()
    [0.0, 3.0]
    """
    return np.maximum(image, 0)


def max_pool(image: np.ndarray, size: int = 2) -> np.ndarray:
    """The largest value of each block; rows and columns that fill no block are left out.

    Parameters
    ----------
    image : (H, W).
    size : side of a block, in pixels.

    Returns
    -------
    (H // size, W // size).

    Raises
    ------
    UserError : blocks larger than the image.

    Examples
    --------
    >>> max_pool(np.array([[1, 5, 2, 0], [3, 4, 8, 1]])).tolist()
    [[5, 8]]
    """
    image = np.asarray(image)
    rows, columns = (n // size for n in image.shape)
    if not rows * columns:
        raise UserError(
            "A block to pool must fit into the image.",
            f"blocks of {size} x {size} in an image of {image.shape}",
            f"Use a size up to {min(image.shape)}.",
        )
    blocks = image[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return blocks.max(axis=(1, 3))
