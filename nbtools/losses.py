"""Loss functions: (truth, output) → one number per image, with keras.ops, for every backend.

Tensors are (B, *space, channels), float32; the network's last layer is linear. Pixels that are not
labelled (their truth is negative, or no class) are left out. In the formulas t is the truth, p the
predicted probability, w the weight of a pixel; means and sums run over the labelled pixels of an
image, means with the weights w.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import ops

from nbtools.targets.flows import FLOW_SCALE

Tensor = keras.KerasTensor  # stands for the tensors of every backend


@keras.saving.register_keras_serializable("nbtools")
def foreground_distance(truth: Tensor, output: Tensor) -> Tensor:
    """Binary cross-entropy and Dice of the foreground, absolute error of the distance map.

    loss = mean(BCE) + 0.5 · (1 - Dice) + 2 · mean(|d - d̂| · (0.25 + t)): in the distance, a
    pixel of the background counts a fifth of one in a nucleus.

    Parameters
    ----------
    truth : (B, *space, 3) foreground (1, 0; -1: not labelled), distance d, weight w.
    output : (B, *space, 2) logit of the foreground, distance d̂.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Distance maps: Naylor et al. 2019, doi:10.1109/TMI.2018.2865709.
    """
    foreground, distance, weight = truth[..., 0], truth[..., 1], truth[..., 2]
    known = ops.cast(foreground >= 0, output.dtype)
    foreground = ops.maximum(foreground, 0.0)
    entropy = masked_mean(binary_cross_entropy(foreground, output[..., 0]), known * weight)
    off = ops.abs(distance - output[..., 1]) * (0.25 + foreground)
    return (
        entropy
        + 0.5 * soft_dice_loss(foreground, output[..., 0], known=known)
        + 2.0 * masked_mean(off, known * weight)
    )


def binary_cross_entropy(truth: Tensor, logit: Tensor) -> Tensor:
    """Cross-entropy per pixel of a probability given as a logit: log(1 + exp(z)) - z · t.

    It is computed as max(z, 0) - z · t + log(1 + exp(-|z|)), which never overflows.

    Parameters
    ----------
    truth : t, of any shape, 0 … 1.
    logit : z, of the same shape.
    """
    return ops.maximum(logit, 0.0) - logit * truth + ops.log1p(ops.exp(-ops.abs(logit)))


def soft_dice_loss(truth: Tensor, logit: Tensor, *, known: Tensor) -> Tensor:
    """One minus the soft Dice coefficient: 1 - (2 Σ p t + 1) / (Σ p + Σ t + 1).

    Parameters
    ----------
    truth, logit : (B, *space).
    known : (B, *space) 1 at labelled pixels, 0 elsewhere.

    Returns
    -------
    Tensor : (B,); 0 for a perfect prediction, also of an image without foreground.

    References
    ----------
    Milletari et al. 2016, doi:10.1109/3DV.2016.79.
    """
    probability = ops.sigmoid(logit) * known
    axes = tuple(range(1, len(truth.shape)))
    shared = ops.sum(probability * truth, axis=axes)
    total = ops.sum(probability + truth * known, axis=axes)
    return 1.0 - (2.0 * shared + 1.0) / (total + 1.0)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the pixels of each image, weighted by a mask; 0 where the mask is 0 everywhere.

    The sum of the mask counts as 1 at least.

    Parameters
    ----------
    values, mask : (B, *space).

    Returns
    -------
    (B,).
    """
    axes = tuple(range(1, len(values.shape)))
    return ops.sum(values * mask, axis=axes) / ops.maximum(ops.sum(mask, axis=axes), 1.0)


@keras.saving.register_keras_serializable("nbtools")
def foreground_flows(truth: Tensor, output: Tensor) -> Tensor:
    """Binary cross-entropy of the foreground, half the squared error of the flows.

    loss = mean(BCE + 0.5 · |FLOW_SCALE · f - f̂|² / ndim).

    Parameters
    ----------
    truth : (B, *space, 1 + ndim) foreground (1, 0; -1: not labelled), flows f of length 1 or 0.
    output : (B, *space, 1 + ndim) logit of the foreground, flows f̂ of length FLOW_SCALE.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Stringer et al. 2021, doi:10.1038/s41592-020-01018-x.
    """
    known = ops.cast(truth[..., 0] >= 0, output.dtype)
    entropy = binary_cross_entropy(ops.maximum(truth[..., 0], 0.0), output[..., 0])
    off = ops.mean(ops.square(FLOW_SCALE * truth[..., 1:] - output[..., 1:]), axis=-1)
    return masked_mean(entropy + 0.5 * off, known)


@keras.saving.register_keras_serializable("nbtools")
def weighted_bce_dice(truth: Tensor, output: Tensor) -> Tensor:
    """Weighted binary cross-entropy, and Dice, of the foreground.

    loss = mean(BCE) + 0.5 · (1 - Dice).

    Parameters
    ----------
    truth : (B, *space, 2) foreground (1, 0; -1: not labelled), weight w.
    output : (B, *space, 1) logit.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Weights of the gaps between cells: Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28.
    """
    foreground, weight = truth[..., 0], truth[..., 1]
    known = ops.cast(foreground >= 0, output.dtype)
    foreground = ops.maximum(foreground, 0.0)
    entropy = masked_mean(binary_cross_entropy(foreground, output[..., 0]), known * weight)
    return entropy + 0.5 * soft_dice_loss(foreground, output[..., 0], known=known)


@keras.saving.register_keras_serializable("nbtools")
def multi_bce_dice(truth: Tensor, output: Tensor) -> Tensor:
    """Binary cross-entropy and Dice of several outputs, averaged over them.

    loss = mean over k of (mean(BCE) + 0.5 · (1 - Dice)).

    Parameters
    ----------
    truth : (B, *space, K), each 1, 0, or -1 (not labelled); or one channel, the truth of every
        output.
    output : (B, *space, K) logits.

    Returns
    -------
    Tensor : (B,).
    """
    costs = []
    for i in range(output.shape[-1]):
        part = truth[..., min(i, truth.shape[-1] - 1)]
        known, part = ops.cast(part >= 0, output.dtype), ops.maximum(part, 0.0)
        costs.append(
            masked_mean(binary_cross_entropy(part, output[..., i]), known)
            + 0.5 * soft_dice_loss(part, output[..., i], known=known)
        )
    return sum(costs) / len(costs)


@keras.saving.register_keras_serializable("nbtools")
def weighted_cross_entropy(truth: Tensor, output: Tensor) -> Tensor:
    """Weighted cross-entropy of classes that exclude each other, averaged over ensemble members.

    loss = mean over members of mean(-Σ t log p), p the softmax of a member's logits.

    Parameters
    ----------
    truth : (B, *space, K + 1) share of each class (0 in all: not labelled), weight w.
    output : (B, *space, members · K) logits, one member after the other.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Weighted borders: Caicedo et al. 2019, doi:10.1002/cyto.a.23863.
    """
    share, weight = truth[..., :-1], truth[..., -1]
    classes = share.shape[-1]
    weight = weight * ops.cast(ops.sum(share, axis=-1) > 0.5, output.dtype)
    starts, cost = range(0, output.shape[-1], classes), 0.0
    for start in starts:
        logs = ops.log_softmax(output[..., start : start + classes], axis=-1)
        cost = cost + masked_mean(-ops.sum(share * logs, axis=-1), weight)
    return cost / len(starts)


def forgiving_cross_entropy(tolerance: float) -> Callable:
    """Make a cross-entropy that forgives labels which are wrong.

    loss = mean over members of mean((1 - p^q) / q), p the probability of the labelled class: for
    q → 0 the cross-entropy, for q = 1 one minus p. A pixel whose label the network finds
    improbable pulls at it with p^q of the strength that it has in the cross-entropy.

    Parameters
    ----------
    tolerance : q, 0 … 1.

    Returns
    -------
    Callable : truth and output of `weighted_cross_entropy` → (B,).

    References
    ----------
    Zhang & Sabuncu 2018, arXiv:1805.07836 (generalised cross-entropy).

    Examples
    --------
    >>> truth, output = np.array([[[1.0, 0.0, 1.0]]]), np.zeros((1, 1, 2))
    >>> round(float(forgiving_cross_entropy(1.0)(truth, output)[0]), 2)
    0.5
    """
    if not tolerance:
        return weighted_cross_entropy

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        share, weight = truth[..., :-1], truth[..., -1]
        classes = share.shape[-1]
        weight = weight * ops.cast(ops.sum(share, axis=-1) > 0.5, output.dtype)
        starts, cost = range(0, output.shape[-1], classes), 0.0
        for start in starts:
            logs = ops.log_softmax(output[..., start : start + classes], axis=-1)
            power = ops.exp(tolerance * ops.sum(share * logs, axis=-1))
            cost = cost + masked_mean((1 - power) / tolerance, weight)
        return cost / len(starts)

    return loss


@keras.saving.register_keras_serializable("nbtools")
def inner_distance(truth: Tensor, output: Tensor) -> Tensor:
    """Squared error of the inner distance, and a little of the cross-entropy of three classes.

    loss = mean((t - p)²) + 0.01 · mean(-w · Σ t log p), the latter over the classes.

    Parameters
    ----------
    truth : (B, *space, 1 + K + 1) inner distance, share of each class (0 in all: not labelled), w.
    output : (B, *space, 1 + K) inner distance, logits of the classes.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Greenwald et al. 2022, doi:10.1038/s41587-021-01094-0.
    """
    known = ops.cast(ops.sum(truth[..., 1:-1], axis=-1) > 0.5, output.dtype)
    error = masked_mean(ops.square(truth[..., 0] - output[..., 0]), known)
    return error + 0.01 * weighted_cross_entropy(truth[..., 1:], output[..., 1:])


def even_nuclei(most: int, *, weight: float) -> Callable:
    """Make the loss of FullNet: weighted cross-entropy, and the variance within each nucleus.

    loss = mean(-w · Σ t log p) + weight · mean over nuclei of the variance, over the pixels of a
    nucleus, of the probability of their true class.

    Parameters
    ----------
    most : numbers of nuclei are below it.
    weight : of the variance.

    Returns
    -------
    Callable : truth (B, *space, K + 2): share of each class, w, number of the nucleus (0: none);
        output (B, *space, K) logits → (B,).

    References
    ----------
    Qu et al. 2019, doi:10.1007/978-3-030-32239-7_42.
    """

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        cost = weighted_cross_entropy(truth[..., :-1], output)
        if not weight:
            return cost
        share = truth[..., :-2]
        right = ops.sum(share * ops.softmax(output, axis=-1), axis=-1)
        return cost + weight * mean_variance(right, truth[..., -1], most=most)

    return loss


def mean_variance(values: Tensor, number: Tensor, *, most: int) -> Tensor:
    """Variance of some values over the pixels of each nucleus, averaged over the nuclei.

    Parameters
    ----------
    values, number : (B, *space); number of the nucleus of each pixel, 0 … most - 1, 0 for none.
    most : see above.

    Returns
    -------
    (B,); 0 of an image without nuclei.

    Examples
    --------
    >>> values = np.array([[1.0, 3.0, 5.0, 9.0]], np.float32)
    >>> number = np.array([[1.0, 1.0, 2.0, 0.0]], np.float32)
    >>> float(mean_variance(values, number, most=3)[0])  # of two nuclei, 1 and 0
    0.5
    """
    batch = ops.shape(values)[0]
    first = ops.arange(batch, dtype="int32")[:, None] * most
    index = ops.reshape(ops.cast(number, "int32"), (batch, -1)) + first
    flat = ops.reshape(values, (-1,))
    parts = ops.stack([ops.ones_like(flat), flat, flat * flat], axis=-1)
    sums = ops.segment_sum(parts, ops.reshape(index, (-1,)), num_segments=batch * most)
    sums = ops.reshape(sums, (batch, most, 3))[:, 1:]
    count = ops.maximum(sums[..., 0], 1.0)
    mean = sums[..., 1] / count
    spread = ops.maximum(sums[..., 2] / count - mean * mean, 0.0)
    there = ops.cast(sums[..., 0] > 0, values.dtype)
    return ops.sum(spread * there, axis=1) / ops.maximum(ops.sum(there, axis=1), 1.0)


@keras.saving.register_keras_serializable("nbtools")
def partial_label_ce_dice(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy where some classes are unknown, and Dice of the foreground.

    loss = mean(-log Σ p over the allowed classes) + 0.5 · (1 - Dice). Where one class is
    allowed this is the cross-entropy; in a nucleus of unknown class all but background are.

    Parameters
    ----------
    truth : (B, *space, 1 + K + 1) 1 for each allowed class (background first; all: not labelled),
        weight w.
    output : (B, *space, 1 + K) logits.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Partial labels: Cour et al. 2011, Journal of Machine Learning Research 12, 1501.
    """
    choice, weight = truth[..., :-1], truth[..., -1]
    known = ops.cast(ops.sum(choice, axis=-1) < choice.shape[-1] - 0.5, output.dtype)
    allowed = ops.logsumexp(output + ops.log(ops.maximum(choice, 1e-7)), axis=-1)
    entropy = masked_mean(ops.logsumexp(output, axis=-1) - allowed, known * weight)
    logit = ops.logsumexp(output[..., 1:], axis=-1) - output[..., 0]
    return entropy + 0.5 * soft_dice_loss(1.0 - choice[..., 0], logit, known=known)


@keras.saving.register_keras_serializable("nbtools")
def masked_mse(truth: Tensor, output: Tensor) -> Tensor:
    """Mean squared error at the pixels of a mask.

    Parameters
    ----------
    truth : (B, *space, C + 1) values, mask (1: counted, 0: left out).
    output : (B, *space, C).

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Masks of blind spots: Krull et al. 2019, doi:10.1109/CVPR.2019.00223.
    """
    error = ops.mean(ops.square(output - truth[..., :-1]), axis=-1)
    return masked_mean(error, truth[..., -1])


@keras.saving.register_keras_serializable("nbtools")
def deep_supervision_ce_dice(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy and Dice of classes that exclude each other, with deep supervision.

    loss = Σ over levels of 2^-level · (cross-entropy + 1 - Dice), divided by Σ 2^-level: each
    coarser level counts half as much. Dice is averaged over the classes without the first.

    Parameters
    ----------
    truth : (B, *space, K) share of each class (0 in all: not labelled).
    output : (B, *space, levels · K) logits, finest level first.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Isensee et al. 2021, doi:10.1038/s41592-020-01008-z.
    """
    classes = truth.shape[-1]
    known = ops.cast(ops.sum(truth, axis=-1) > 0.5, output.dtype)
    weights = 0.5 ** np.arange(output.shape[-1] // classes)
    costs = 0.0
    for i, weight in enumerate(weights / weights.sum()):
        logs = ops.log_softmax(output[..., i * classes : (i + 1) * classes], axis=-1)
        costs += float(weight) * (
            masked_mean(-ops.sum(truth * logs, axis=-1), known)
            + mean_class_dice_loss(truth, ops.exp(logs), known=known)
        )
    return costs


def mean_class_dice_loss(truth: Tensor, share: Tensor, *, known: Tensor) -> Tensor:
    """One minus the soft Dice coefficient, averaged over the classes without the first.

    Parameters
    ----------
    truth : (B, *space, K), 1 for the class of the pixel.
    share : (B, *space, K) predicted probabilities.
    known : (B, *space), 1 at labelled pixels.

    Returns
    -------
    (B,).
    """
    axes, share = tuple(range(1, len(truth.shape) - 1)), share * known[..., None]
    shared = ops.sum(share * truth, axis=axes)
    total = ops.sum(share + truth * known[..., None], axis=axes)
    return ops.mean((1.0 - (2.0 * shared + 1.0) / (total + 1.0))[:, 1:], axis=-1)


def sample_likelihood(log_likelihood: Callable, *, offset: float, factor: float) -> Callable:
    """Make the loss of a network whose K outputs are samples of the signal at a pixel.

    loss = mean of -log(1/K · Σ p(noisy | sample)) over the masked pixels.

    Parameters
    ----------
    log_likelihood : (noisy, signal, ops) → log p(noisy | signal), in grey values.
    offset, factor : grey value = offset + factor · output.

    Returns
    -------
    Callable : truth (B, n, 3): index in the flattened patch, noisy grey value, 1 (0: padding);
        output (B, *space, K) → (B,).

    References
    ----------
    Krull et al. 2020, doi:10.3389/fcomp.2020.00005.
    """

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        batch, count = ops.shape(output)[0], output.shape[-1]
        flat = ops.reshape(output, (-1, count))  # (B · pixels, K)
        first = ops.arange(batch, dtype="int32") * (ops.shape(flat)[0] // batch)
        index = ops.cast(truth[..., 0], "int32") + first[:, None]  # (B, n)
        samples = ops.take(flat, index, axis=0)  # (B, n, K)
        logs = log_likelihood(truth[..., 1:2], offset + factor * samples, ops=ops)
        # the mean of likelihoods in logarithms, which do not underflow far from the signal
        return masked_mean(float(np.log(count)) - ops.logsumexp(logs, axis=-1), truth[..., 2])

    return loss


def deconoising_loss(*, floor: float, positivity: float, smoothness: float) -> Callable:
    """Make the loss of a network that predicts a sharp image and blurs it with the known PSF.

    loss = mean squared error of the blurred image at the masked pixels
    + positivity · mean(max(floor - sharp, 0)) + smoothness · total variation of the sharp image.

    Parameters
    ----------
    floor : value of no light, in units of the output.
    positivity : weight of what the sharp image has below `floor`.
    smoothness : weight of the total variation of the sharp image.

    Returns
    -------
    Callable : truth (B, *space, 2): value, mask; output (B, *space, 2): blurred, sharp → (B,).

    References
    ----------
    Goncharova et al. 2020, arXiv:2008.08414.
    """

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        sharp, axes = output[..., 1], tuple(range(1, len(output.shape) - 1))
        dark = ops.mean(ops.relu(floor - sharp), axis=axes)
        cost = masked_mse(truth, output[..., :1]) + positivity * dark
        return cost + smoothness * total_variation(sharp) if smoothness else cost

    return loss


def total_variation(values: Tensor) -> Tensor:
    """Mean absolute difference of neighbours along each spatial axis, summed over the axes.

    Parameters
    ----------
    values : (B, *space).

    Returns
    -------
    (B,).

    References
    ----------
    Rudin et al. 1992, doi:10.1016/0167-2789(92)90242-F.
    """
    axes = tuple(range(1, len(values.shape)))
    return sum(ops.mean(ops.abs(ops.diff(values, axis=axis)), axis=axes) for axis in axes)


def weighted_crossentropy(weights: np.ndarray | None = None, *, smoothing: float = 0.0) -> Callable:
    """Make the loss of a network that predicts one class per image.

    loss = - w · Σ t' log p, where t' is 1 - smoothing at the true class, with the smoothing
    spread over all classes, and w the weight of the true class.

    Parameters
    ----------
    weights : (K,) of the classes; None for 1 each.
    smoothing : share of the truth that is spread over all classes, 0 … 1.

    Returns
    -------
    Callable : truth (B, K) 0 or 1; output (B, K) logits → (B,).

    References
    ----------
    Label smoothing: Szegedy et al. 2016, arXiv:1512.00567.

    Examples
    --------
    >>> loss = weighted_crossentropy(np.array([1.0, 3.0]))
    >>> truth, logits = np.array([[0.0, 1.0]]), np.zeros((1, 2))
    >>> round(float(loss(truth, logits)[0]), 4)  # three times the logarithm of 2
    2.0794
    """

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        truth = ops.cast(truth, output.dtype)
        soft = (1 - smoothing) * truth + smoothing / output.shape[-1]
        cost = -ops.sum(soft * ops.log_softmax(output, axis=-1), axis=-1)
        if weights is None:
            return cost
        return cost * ops.sum(truth * ops.convert_to_tensor(weights, output.dtype), axis=-1)

    return loss


@keras.saving.register_keras_serializable("nbtools")
def proximity_error(truth: Tensor, output: Tensor) -> Tensor:
    """Squared error of proximity maps, in which the surroundings of nuclei weigh more.

    loss = sum of w * (t - p)^2 over sum of w, p the prediction, w = t + max(mean(t), 0.02): the
    mean keeps an image without nuclei from weighing nothing.

    Parameters
    ----------
    truth : (B, *space, K) proximity, 0 … 1; -1: not looked at.
    output : (B, *space, K).

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Xing et al. 2019, doi:10.1109/TBME.2019.2900378.
    """
    axes = tuple(range(1, len(truth.shape)))
    known = ops.cast(truth >= 0, output.dtype)
    truth = ops.maximum(truth, 0.0)
    looked_at = ops.maximum(ops.sum(known, axis=axes, keepdims=True), 1.0)
    mean = ops.sum(truth, axis=axes, keepdims=True) / looked_at
    weight = known * (truth + ops.maximum(mean, 0.02))
    error = ops.sum(weight * ops.square(truth - output), axis=axes)
    return error / ops.maximum(ops.sum(weight, axis=axes), 1e-6)


def rare_cross_entropy(rare: float) -> Callable:
    """Make a cross-entropy in which the pixels of a nucleus weigh more.

    Parameters
    ----------
    rare : weight of a pixel whose truth is 1; the others weigh 1.

    Returns
    -------
    Callable : truth (B, *space, 1), -1 where not looked at, output (B, *space, 1) logit → (B,)
        weighted mean.
    """

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        known = ops.cast(truth[..., 0] >= 0, output.dtype)
        inside = ops.maximum(truth[..., 0], 0.0)
        weight = known * (1.0 + (rare - 1.0) * inside)
        return masked_mean(binary_cross_entropy(inside, output[..., 0]), weight)

    return loss


def cell_boxes(ndim: int, *, classes: int = 0) -> Callable:
    """Make the loss of cells that tell boxes, see `targets.boxes.CellTarget`.

    loss = sum over all cells of w * BCE(score, IoU), and over cells with a box of
    w * (2 * (1 - GIoU) + CE).
    The score of a cell is to be the IoU of the box that it tells, and 0 without a box.

    Parameters
    ----------
    ndim : number of spatial axes.
    classes : number of classes that are told apart; cells of unknown class are left out.

    Returns
    -------
    Callable : truth (B, *cells, 1 + 2 D + K + 1): has a box (1, 0), distances to the edges in
        cells, class, w; output: logit, logarithms of the distances, logits → (B,).

    References
    ----------
    GIoU: Rezatofighi et al. 2019, doi:10.1109/CVPR.2019.00075; the score as an IoU: Redmon et al.
    2016, doi:10.1109/CVPR.2016.91.
    """
    ends = 1 + 2 * ndim

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        axes, weight = tuple(range(1, ndim + 1)), truth[..., -1]
        there = truth[..., 0] * weight
        distance = ops.exp(ops.clip(output[..., 1:ends], -7.0, 7.0))
        iou, giou = overlap_of_distances(truth[..., 1:ends], distance)
        wanted = truth[..., 0] * ops.stop_gradient(iou)
        cost = weight * binary_cross_entropy(wanted, output[..., 0]) + 2 * there * (1 - giou)
        if classes:
            logs = ops.log_softmax(output[..., ends : ends + classes], axis=-1)
            cost = cost - there * ops.sum(truth[..., ends : ends + classes] * logs, axis=-1)
        return ops.sum(cost, axis=axes)

    return loss


def shape_prior_error(outlines: np.ndarray, *, weight: float, reach: int) -> Callable:
    """Make the loss of SP-CNN: squared error, less a reward where the edges around fit a nucleus.

    Proximity p is widened by a maximum over `reach` pixels, and multiplied by the edges e of the
    image: edges near nothing that was found do not count. What is left is compared with each
    outline s by a convolution: loss = mean((t - p)²) - weight · mean over s of mean((s * p e)²).

    Parameters
    ----------
    outlines : (N, *side) of nuclei, each in sum 1.
    weight : of the reward; 0 leaves it out.
    reach : pixels of the maximum, odd.

    Returns
    -------
    Callable : truth (B, *space, 2): proximity, -1 where not looked at, and edges; output
        (B, *space, 1) → (B,).

    References
    ----------
    Tofighi et al. 2019, doi:10.1109/TMI.2019.2895318.
    """
    kernel = np.moveaxis(outlines, 0, -1)[..., None, :].astype(np.float32)

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        axes = tuple(range(1, len(output.shape)))
        known = ops.cast(truth[..., 0] >= 0, output.dtype)
        error = masked_mean(ops.square(truth[..., 0] - output[..., 0]), known)
        if not weight or not len(outlines):
            return error
        size = tuple(min(reach, n) if n else reach for n in output.shape[1:-1])
        found = known[..., None] * ops.clip(output, 0.0, 1.0)
        near = ops.max_pool(found, size, strides=1, padding="same")
        fit = ops.conv(near * truth[..., 1:], ops.convert_to_tensor(kernel), padding="same")
        return error - weight * ops.mean(ops.square(fit), axis=axes)

    return loss


def overlap_of_distances(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and GIoU of two boxes around one place, each given by its distances to the edges.

    Parameters
    ----------
    first, second : (..., 2 D) distances to the lower edges, then to the upper ones.

    Returns
    -------
    Two tensors (...). GIoU = IoU - the share of the smallest common box that neither covers.

    References
    ----------
    Rezatofighi et al. 2019, doi:10.1109/CVPR.2019.00075.
    """
    ndim = first.shape[-1] // 2

    def volume(distance: Tensor) -> Tensor:
        return ops.prod(distance[..., :ndim] + distance[..., ndim:], axis=-1)

    shared = volume(ops.minimum(first, second))
    union = volume(first) + volume(second) - shared
    common = volume(ops.maximum(first, second))
    iou = shared / ops.maximum(union, 1e-9)
    return iou, iou - (common - union) / ops.maximum(common, 1e-9)


def anchor_boxes(ndim: int, *, anchors: int, kinds: int, focal: bool = True) -> Callable:
    """Make the loss of anchors, see `targets.anchors.AnchorTarget`.

    loss = sum over scores of a cost, and over anchors with a box of w * smooth L1 of the
    corrections. The cost is either w * focal(score), w one over the number of anchors with a box;
    or the BCE, with weights by which anchors with and without a box count as much, as if as many
    of both were drawn. Scores of -1 are left out.

    Parameters
    ----------
    ndim : number of spatial axes.
    anchors, kinds : anchors per cell, and scores of each.
    focal : the former cost, else the latter.

    Returns
    -------
    Callable : truth (B, *cells, A * kinds + A * 2 D + 2), the last two channels one over the
        number of anchors with and without a box; output (B, *cells, A * kinds + A * 2 D) → (B,).

    References
    ----------
    Focal loss: Lin et al. 2017, doi:10.1109/ICCV.2017.324. Balanced sampling and smooth L1: Ren et
    al. 2015, doi:10.1109/TPAMI.2016.2577031.
    """
    scores, ends = anchors * kinds, anchors * (kinds + 2 * ndim)

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        axes = tuple(range(1, ndim + 3))
        weights = truth[..., None, -2:]
        score, logit = (_split(maps[..., :scores], kinds) for maps in (truth, output))
        wanted, moved = (_split(maps[..., scores:ends], 2 * ndim) for maps in (truth, output))
        known = ops.cast(score >= 0, output.dtype)
        there = ops.max(ops.maximum(score, 0.0), axis=-1, keepdims=True) * weights[..., :1]
        cost = binary_cross_entropy(ops.maximum(score, 0.0), logit)
        if focal:
            cost = cost * focal_weight(score, logit) * weights[..., :1]
        else:
            cost = cost * ops.where(score > 0.5, weights[..., :1], weights[..., 1:])
        off = smooth_l1(wanted - moved)
        return ops.sum(cost * known, axis=axes) + ops.sum(off * there, axis=axes)

    return loss


def region_boxes(kinds: int) -> Callable:
    """Make the loss of a second stage, see `targets.regions`.

    loss = Σ over regions of w · cross-entropy + v · smooth L1 of the corrections.

    Parameters
    ----------
    kinds : number of classes, 1 where they are not told apart.

    Returns
    -------
    Callable : truth (B, R, 1 + kinds + 2 D + 2): no nucleus or which class (0, 1), corrections, w
        and v; output (B, R, 1 + kinds + 2 D): logits, corrections → (B,).

    References
    ----------
    Girshick 2015, doi:10.1109/ICCV.2015.169.
    """
    ends = 1 + kinds

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        logs = ops.log_softmax(output[..., :ends], axis=-1)
        entropy = -ops.sum(truth[..., :ends] * logs, axis=-1)
        off = ops.sum(smooth_l1(truth[..., ends:-2] - output[..., ends:]), axis=-1)
        return ops.sum(truth[..., -2] * entropy + truth[..., -1] * off, axis=1)

    return loss


@keras.saving.register_keras_serializable("nbtools")
def region_masks(truth: Tensor, output: Tensor) -> Tensor:
    """Binary cross-entropy of the masks of regions, see `targets.region_masks`.

    loss = Σ over regions of w · mean(BCE).

    Parameters
    ----------
    truth : (B, R, *size, 2) mask (1, 0), w, the same at all pixels of a region.
    output : (B, R, *size) logits.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    He et al. 2017, doi:10.1109/ICCV.2017.322.
    """
    cost = binary_cross_entropy(truth[..., 0], output) * truth[..., 1]
    axes = tuple(range(2, len(output.shape)))
    return ops.sum(ops.mean(cost, axis=axes), axis=1)


def _split(maps: Tensor, each: int) -> Tensor:
    """(B, *cells, A · each) → (B, *cells, A, each)."""
    shape = ops.shape(maps)
    return ops.reshape(maps, (*shape[:-1], maps.shape[-1] // each, each))


def focal_weight(
    truth: Tensor, logit: Tensor, *, gamma: float = 2.0, alpha: float = 0.25
) -> Tensor:
    """Weight in the focal loss: alpha (1 - p)^gamma where p is to be 1, else (1 - alpha) p^gamma.

    Parameters
    ----------
    truth, logit : of one shape; p is the sigmoid of the logit.
    gamma, alpha : as published.

    References
    ----------
    Lin et al. 2017, doi:10.1109/ICCV.2017.324.
    """
    share = ops.sigmoid(logit)
    wrong = ops.where(truth > 0.5, 1 - share, share)
    return ops.where(truth > 0.5, alpha, 1 - alpha) * wrong**gamma


def with_classes(loss: Callable, outputs: Mapping[str, int]) -> Callable:
    """Make the loss of a network that predicts the class of each pixel of a nucleus as well.

    loss = the given one + mean(-Σ t log p) over the pixels of nuclei of known class, p the softmax
    of the logits of the classes; averaged over the members of an ensemble.

    Parameters
    ----------
    loss : (truth, output) → (B,), of what the network predicts beside classes.
    outputs : name → channels of all that one network predicts, "classes" last; without them the
        loss is returned as it is.

    Returns
    -------
    Callable : truth (B, *space, what `loss` takes + K), of the class 1, in all 0 where there is
        none; output (B, *space, members · channels) → (B,).

    Examples
    --------
    >>> joint = with_classes(lambda truth, output: 0.0, {"foreground": 1, "classes": 2})
    >>> truth, logits = np.array([[[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]]), np.zeros((1, 2, 3))
    >>> round(float(joint(truth, logits)[0]), 4)  # one pixel of known class: the logarithm of 2
    0.6931
    """
    classes, width = outputs.get("classes", 0), sum(outputs.values())
    if not classes:
        return loss

    def joint(truth: Tensor, output: Tensor) -> Tensor:
        share = ops.cast(truth[..., -classes:], output.dtype)
        starts, cost = range(0, output.shape[-1], width), 0.0
        for start in starts:
            one = output[..., start : start + width]
            cost = cost + loss(truth[..., :-classes], one[..., :-classes])
            cost = cost + masked_class_entropy(share, one[..., -classes:])
        return cost / len(starts)

    return joint


def masked_class_entropy(share: Tensor, logits: Tensor) -> Tensor:
    """Cross-entropy of classes, mean over the pixels that have one; 0 without such pixels.

    Parameters
    ----------
    share : (B, *space, K) of each class, in sum 1, or 0 where no class is known.
    logits : (B, *space, K).

    Returns
    -------
    (B,).
    """
    axes = tuple(range(1, len(share.shape)))
    cost = -ops.sum(share * ops.log_softmax(logits, axis=-1), axis=axes)
    return cost / ops.maximum(ops.sum(share, axis=axes), 1.0)


def smooth_l1(difference: Tensor) -> Tensor:
    """d² / 2 for |d| < 1, else |d| - 1 / 2.

    Parameters
    ----------
    difference : d, of any shape.

    References
    ----------
    Girshick 2015, doi:10.1109/ICCV.2015.169.
    """
    away = ops.abs(difference)
    return ops.where(away < 1, 0.5 * away * away, away - 0.5)


def denoise_and_segment(alpha: float, *, classes: int) -> Callable:
    """Make the loss of a network that denoises and segments.

    loss = alpha · mean squared error at hidden pixels + (1 - alpha) · weighted cross-entropy of
    the classes; the latter is 0 for an image without labels.

    Parameters
    ----------
    alpha : share of the former, 0 … 1.
    classes : K, that exclude each other.

    Returns
    -------
    Callable : truth (B, *space, K + 1 + C + 1): share of each class, weight, grey values, mask;
        output (B, *space, K + C): logits, grey values → (B,).

    References
    ----------
    Buchholz et al. 2020, doi:10.1007/978-3-030-66415-2_21.

    Examples
    --------
    >>> truth = np.array([[[1.0, 0.0, 5.0, 0.3, 1.0]]])  # two classes, one channel
    >>> output = np.array([[[50.0, -50.0, 0.1]]])
    >>> loss = denoise_and_segment(0.5, classes=2)
    >>> round(float(loss(truth, output)[0]), 4)  # half of (0.3 - 0.1)²
    0.02
    """

    def loss(truth: Tensor, output: Tensor) -> Tensor:
        grey = masked_mse(truth[..., classes + 1 :], output[..., classes:])
        split = weighted_cross_entropy(truth[..., : classes + 1], output[..., :classes])
        return alpha * grey + (1 - alpha) * split

    return loss


@keras.saving.register_keras_serializable("nbtools")
def points_alone(truth: Tensor, output: Tensor) -> Tensor:
    """Cross-entropy where points tell nucleus or background, and squared error of proximity.

    loss = half the mean BCE over the pixels that Voronoi cells tell + half of that over the pixels
    that clusters tell + `proximity_error`.

    Parameters
    ----------
    truth : (B, *space, 5) nucleus and background by cells, the same by clusters (0, 0: unknown),
        proximity; see `targets.point_masks`.
    output : (B, *space, 2) logit of the foreground, proximity.

    Returns
    -------
    Tensor : (B,).

    References
    ----------
    Qu et al. 2020, doi:10.48550/arXiv.2007.05448.
    """
    cost = proximity_error(truth[..., 4:], output[..., 1:])
    for first in (0, 2):
        nucleus, background = truth[..., first], truth[..., first + 1]
        known = nucleus + background
        share = nucleus / ops.maximum(known, 1e-6)
        cost = cost + 0.5 * masked_mean(binary_cross_entropy(share, output[..., 0]), known)
    return cost
