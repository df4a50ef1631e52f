"""Losses: plain functions (truth, output) → one number an image, written with keras.ops for every
backend.

A negative truth means "not labelled here" and counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

Tensor = keras.KerasTensor  # stands for the tensors of every backend
FLOW = 5.0  # how many times as long as the true one the flow of a network is


@keras.saving.register_keras_serializable("nbtools")
def foreground_distance(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy and Dice of the foreground, absolute error of the distance, each pixel with its
    weight.

    truth : (B, *space, 3) foreground (0, 1, -1 ignored), distance, weight.
    output : (B, *space, 2) logit and distance.
    """
    foreground, distance, weight = truth[..., 0], truth[..., 1], truth[..., 2]
    known = ops.cast(foreground >= 0, output.dtype)
    foreground = ops.maximum(foreground, 0.0)
    entropy = masked_mean(binary_entropy(foreground, output[..., 0]), known * weight)
    off = ops.abs(distance - output[..., 1]) * (0.25 + foreground)
    return (
        entropy
        + 0.5 * soft_dice(foreground, output[..., 0], known=known)
        + 2.0 * masked_mean(off, known * weight)
    )


def binary_entropy(truth: Tensor, logit: Tensor) -> Tensor:
    """Cross-entropy a pixel of a probability given as a logit, in the numerically safe form."""
    return ops.maximum(logit, 0.0) - logit * truth + ops.log1p(ops.exp(-ops.abs(logit)))


def soft_dice(truth: Tensor, logit: Tensor, *, known: Tensor) -> Tensor:
    """1 - Dice, one number an image (Milletari et al. 2016, doi:10.1109/3DV.2016.79)."""
    probability = ops.sigmoid(logit) * known
    axes = tuple(range(1, len(truth.shape)))
    shared = ops.sum(probability * truth, axis=axes)
    total = ops.sum(probability + truth * known, axis=axes)
    return 1.0 - (2.0 * shared + 1.0) / (total + 1.0)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the pixels of each image, weighted by the mask; 0 where that is 0 everywhere."""
    axes = tuple(range(1, len(values.shape)))
    return ops.sum(values * mask, axis=axes) / ops.maximum(ops.sum(mask, axis=axes), 1.0)


@keras.saving.register_keras_serializable("nbtools")
def foreground_flows(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy of the foreground, plus half the squared error of the flows, which the network
    gives FLOW times as long.

    Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
    truth : (B, *space, 1 + ndim) foreground (0, 1, -1 ignored) and flows of length 1 or 0.
    output : the same, logit and FLOW · flows.
    """
    known = ops.cast(truth[..., 0] >= 0, output.dtype)
    entropy = binary_entropy(ops.maximum(truth[..., 0], 0.0), output[..., 0])
    off = ops.mean(ops.square(FLOW * truth[..., 1:] - output[..., 1:]), axis=-1)
    return masked_mean(entropy + 0.5 * off, known)


@keras.saving.register_keras_serializable("nbtools")
def weighted_foreground(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy with a weight a pixel, plus half of Dice, of the foreground.

    truth : (B, *space, 2) foreground (0, 1, -1 ignored) and weight.
    output : (B, *space, 1) logit.
    """
    foreground, weight = truth[..., 0], truth[..., 1]
    known = ops.cast(foreground >= 0, output.dtype)
    foreground = ops.maximum(foreground, 0.0)
    entropy = masked_mean(binary_entropy(foreground, output[..., 0]), known * weight)
    return entropy + 0.5 * soft_dice(foreground, output[..., 0], known=known)


@keras.saving.register_keras_serializable("nbtools")
def multi_bce_dice(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy plus half of Dice of each output, averaged over the outputs.

    truth : (B, *space, K) each 0, 1, or -1 (ignored); with one channel it is the truth of every
        output.
    output : (B, *space, K) logits.
    """
    costs = []
    for i in range(output.shape[-1]):
        part = truth[..., min(i, truth.shape[-1] - 1)]
        known, part = ops.cast(part >= 0, output.dtype), ops.maximum(part, 0.0)
        costs.append(
            masked_mean(binary_entropy(part, output[..., i]), known)
            + 0.5 * soft_dice(part, output[..., i], known=known)
        )
    return sum(costs) / len(costs)


@keras.saving.register_keras_serializable("nbtools")
def weighted_classes(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy of exclusive classes with a weight a pixel; where the output holds several
    members' logits, their mean.

    truth : (B, *space, K + 1) share of each class (0 in all: ignored) and weight.
    output : (B, *space, members · K) logits.
    """
    share, weight = truth[..., :-1], truth[..., -1]
    classes = share.shape[-1]
    weight = weight * ops.cast(ops.sum(share, axis=-1) > 0.5, output.dtype)
    members = range(output.shape[-1] // classes)
    entropies = [
        -ops.sum(
            share * ops.log_softmax(output[..., i * classes : (i + 1) * classes], axis=-1), axis=-1
        )
        for i in members
    ]
    return sum(masked_mean(e, weight) for e in entropies) / len(entropies)


@keras.saving.register_keras_serializable("nbtools")
def partial_label_ce_dice(truth: Tensor, output: Tensor) -> Tensor:
    """Minus the logarithm of the probability of all that a pixel may be, weighted, plus half of
    Dice of the foreground.

    With one choice a pixel it is the cross-entropy; a nucleus of unknown class is foreground of any
    class.
    truth : (B, *space, 1 + K + 1) 1 for what may be (background, classes; all: ignored), and
        weight.
    output : (B, *space, 1 + K) logits.
    """
    choice, weight = truth[..., :-1], truth[..., -1]
    known = ops.cast(ops.sum(choice, axis=-1) < choice.shape[-1] - 0.5, output.dtype)
    allowed = ops.logsumexp(output + ops.log(ops.maximum(choice, 1e-7)), axis=-1)
    entropy = masked_mean(ops.logsumexp(output, axis=-1) - allowed, known * weight)
    logit = ops.logsumexp(output[..., 1:], axis=-1) - output[..., 0]
    return entropy + 0.5 * soft_dice(1.0 - choice[..., 0], logit, known=known)


@keras.saving.register_keras_serializable("nbtools")
def masked_mse(truth: Tensor, output: Tensor) -> Tensor:
    """Squared error at the pixels that count, divided by their number.

    truth : (B, *space, C + 1) values and a mask of 0 and 1.   output : (B, *space, C).
    """
    error = ops.mean(ops.square(output - truth[..., :-1]), axis=-1)
    return masked_mean(error, truth[..., -1])


@keras.saving.register_keras_serializable("nbtools")
def deep_classes(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy plus Dice of exclusive classes, of the answers of all levels: half as much
    weight for each coarser one, 1 in sum.

    Deep supervision as in Isensee et al. 2021, doi:10.1038/s41592-020-01008-z; Dice is averaged
    over the classes but the first.
    truth : (B, *space, K) share of each class (0 in all: ignored).
    output : (B, *space, levels · K) logits, finest level first.
    """
    classes = truth.shape[-1]
    known = ops.cast(ops.sum(truth, axis=-1) > 0.5, output.dtype)
    weights = 0.5 ** np.arange(output.shape[-1] // classes)
    costs = 0.0
    for i, weight in enumerate(weights / weights.sum()):
        logs = ops.log_softmax(output[..., i * classes : (i + 1) * classes], axis=-1)
        costs += float(weight) * (
            masked_mean(-ops.sum(truth * logs, axis=-1), known)
            + classes_dice(truth, ops.exp(logs), known=known)
        )
    return costs


def classes_dice(truth: Tensor, share: Tensor, *, known: Tensor) -> Tensor:
    """1 - Dice, averaged over the classes but the first, one number an image.  truth, share : (B,
    *space, K).
    """
    axes, share = tuple(range(1, len(truth.shape) - 1)), share * known[..., None]
    shared = ops.sum(share * truth, axis=axes)
    total = ops.sum(share + truth * known[..., None], axis=axes)
    return ops.mean((1.0 - (2.0 * shared + 1.0) / (total + 1.0))[:, 1:], axis=-1)


def sample_likelihood(log_likelihood: Callable, *, offset: float, factor: float) -> Callable:
    """The loss of a network whose outputs are samples of what a pixel may be: -log of their mean
    likelihood, at the pixels asked for.

    Krull et al. 2020, doi:10.3389/fcomp.2020.00005.
    log_likelihood : (noisy, signal, ops) → log p(noisy | signal) in grey values.
    offset, factor : grey = offset + factor * output.
    The loss takes truth (B, n, 3): place in the flattened patch, noisy grey value, 1 (0: no pixel),
    and output (B, *space, K).
    """

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        batch, count = ops.shape(output)[0], output.shape[-1]
        flat = ops.reshape(output, (-1, count))  # (B · pixels, K)
        first = ops.arange(batch, dtype="int32") * (ops.shape(flat)[0] // batch)
        samples = ops.take(
            flat, ops.cast(truth[..., 0], "int32") + first[:, None], axis=0
        )  # (B, n, K)
        logs = log_likelihood(truth[..., 1:2], offset + factor * samples, ops=ops)
        return masked_mean(float(np.log(count)) - ops.logsumexp(logs, axis=-1), truth[..., 2])

    return loss


def deconoising_loss(*, floor: float, positivity: float, smoothness: float) -> Callable:
    """The loss of a network that says what an image was before a blur: squared error of the blurred
    image at hidden pixels.

    Goncharova et al. 2020, arXiv:2008.08414.
    floor : value of no light, in units of the output.
    positivity : weight of what the sharp image has below it, pixel for pixel.
    smoothness : weight of the total variation of the sharp image.
    The loss takes truth (B, *space, 2): value and mask, and output (B, *space, 2): blurred and
    sharp.
    """

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        sharp, axes = output[..., 1], tuple(range(1, len(output.shape) - 1))
        cost = masked_mse(truth, output[..., :1]) + positivity * ops.mean(
            ops.relu(floor - sharp), axis=axes
        )
        return cost + smoothness * total_variation(sharp) if smoothness else cost

    return loss


def total_variation(values: Tensor) -> Tensor:
    """Mean absolute difference between neighbours along each spatial axis, summed over the axes.
    values : (B, *space).
    """
    axes = tuple(range(1, len(values.shape)))
    return sum(ops.mean(ops.abs(ops.diff(values, axis=axis)), axis=axes) for axis in axes)
