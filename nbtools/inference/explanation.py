"""Why a network predicts what it predicts: occlusion, Grad-CAM, feature maps and kernels.

Each function takes a Keras network of ours with an array (*space, C), scaled as the network gets
it; or a trained method with an `Image`, which the method then scales by itself. Networks may
classify, segment or restore, in 2D and 3D.

References
----------
Occlusion: Zeiler and Fergus 2014, doi:10.1007/978-3-319-10590-1_53. Grad-CAM: Selvaraju et al.
2017, doi:10.1109/ICCV.2017.74; for parts of a segmentation Vinogradova et al. 2020,
doi:10.1609/aaai.v34i10.7244.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, product

import keras
import numpy as np
from scipy import ndimage

from nbtools.errors import UserError, require_choice
from nbtools.inference.receptive_field import measure_receptive_field

BATCH_VALUES = 1_000_000  # pixels of occluded copies that run through the network at once
RANDOM_LAYERS = ("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise")
SPATIAL_RANDOM_LAYERS = ("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")


@dataclass(frozen=True, eq=False)
class OutputPart:
    """The part of a prediction that a map explains; its mean is the score.

    Parameters
    ----------
    channel : of the output: the class of a classification, a map of a segmentation.
    where : (*space of the output) bool, such as one nucleus; None for all pixels.
    output : name of the output, of a network with several named ones.
    """

    channel: int = 0
    where: np.ndarray | None = None
    output: str | None = None

    def score(self, prediction: object) -> np.ndarray:
        """The score of each image.

        Parameters
        ----------
        prediction : (B, K) or (B, *space, K), or such arrays by name.

        Returns
        -------
        (B,) means over the part.
        """
        maps = self._choose(prediction)
        return (maps * self.weights(maps.shape[1:])).reshape(len(maps), -1).sum(axis=1)

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """Weights (*space, K) whose weighted sum over the output is the score.

        Parameters
        ----------
        shape : (*space, K) of the output.

        Raises
        ------
        UserError : a channel that the output lacks, a mask of another size, or an empty one.
        """
        if not 0 <= self.channel < shape[-1]:
            raise UserError(
                "A channel must be one of the output.",
                self.channel,
                f"Use 0 to {shape[-1] - 1}.",
            )
        where = np.ones(shape[:-1], bool) if self.where is None else np.asarray(self.where, bool)
        if where.shape != shape[:-1] or not where.any():
            raise UserError(
                "The part to explain must be a mask of the size of the output, with a pixel in it.",
                f"{np.count_nonzero(where)} pixels of {where.shape}",
                f"Give an array of {shape[:-1]}, true in the part.",
            )
        weights = np.zeros(shape, np.float32)
        weights[..., self.channel] = where / np.count_nonzero(where)
        return weights

    def _choose(self, prediction: object) -> np.ndarray:
        if isinstance(prediction, Mapping):
            name = next(iter(prediction)) if self.output is None else self.output
            require_choice(name, prediction, rule="An output must be one of the network.")
            return np.asarray(prediction[name])
        return np.asarray(prediction)


def occlusion(
    model: object,
    image: object,
    *,
    part: OutputPart | None = None,
    size: int | tuple[int, ...] | None = None,
    step: int | tuple[int, ...] | None = None,
) -> np.ndarray:
    """Cover the image bit by bit, and measure how much the score falls.

    A box is filled with the median grey value of each channel: background, in most images of
    nuclei. Each place of the box costs one prediction.

    Parameters
    ----------
    model, image : Keras network and array (*space, C), or trained method and Image.
    part : of the prediction; by default its first channel, everywhere.
    size : sides of the box in pixels; by default an eighth of the image.
    step : pixels from one box to the next; by default half a box in planes, a whole one in volumes.

    Returns
    -------
    (*space) fall of the score, averaged over the boxes that cover a pixel; below 0 where covering
    raises it.
    """
    network, pixels = _open(model, image)
    part = part or OutputPart()
    space = pixels.shape[:-1]
    eighth = tuple(max(1, n // 8) for n in space)
    sizes = tuple(np.minimum(_per_axis(size, space) if size else eighth, space).tolist())
    share = 2 if len(space) == 2 else 1
    usual = tuple(max(1, n // share) for n in sizes)
    steps = np.minimum(_per_axis(step, space) if step else usual, sizes)
    blank = np.median(pixels.reshape(-1, pixels.shape[-1]), axis=0)
    before = part.score(_predict(network, pixels[None]))[0]
    total, count = np.zeros(space), np.zeros(space)
    most = max(1, BATCH_VALUES // pixels.size)
    for boxes in _batches(_place_boxes(space, sizes, steps=tuple(steps.tolist())), most):
        copies = np.repeat(pixels[None], len(boxes), axis=0)
        for copy, box in zip(copies, boxes, strict=True):
            copy[box] = blank
        falls = before - part.score(_predict(network, copies))
        for box, fall in zip(boxes, falls, strict=True):
            total[box] += fall
            count[box] += 1
    return total / count


def grad_cam(
    model: object, image: object, *, part: OutputPart | None = None, layer: str | None = None
) -> np.ndarray:
    """Grad-CAM: the feature maps of one layer, each weighted by how the score rises with it.

    The gradient is that of Keras' own training: a shift, which begins at 0, is added to the feature
    maps, and one step of gradient descent at a learning rate of 1 changes it by the gradient. So
    the same lines run on TensorFlow, JAX and PyTorch. The network itself is copied, not changed.

    Parameters
    ----------
    model, image : Keras network and array (*space, C), or trained method and Image.
    part : of the prediction; by default its first channel, everywhere.
    layer : whose feature maps are weighted; by default the last convolution of more than one pixel.

    Returns
    -------
    (*space) from 0 to 1, enlarged to the image; 0 everywhere where no feature speaks for the part.
    """
    network, pixels = _open(model, image)
    part, name = part or OutputPart(), layer or list_layers(network)[-1]
    maps = _run_until(network, pixels, name)
    gradient = _find_gradient(network, pixels, name=name, part=part, shape=maps.shape)
    importance = gradient.reshape(-1, maps.shape[-1]).mean(axis=0)
    seen = np.maximum(maps @ importance, 0)
    seen = _enlarge(seen, pixels.shape[:-1])
    return seen / seen.max() if seen.max() > 0 else seen


def feature_maps(model: object, image: object, *, layer: str | None = None) -> np.ndarray:
    """What a layer makes of an image.

    Parameters
    ----------
    model, image : Keras network and array (*space, C), or trained method and Image.
    layer : its name; by default the first convolution.

    Returns
    -------
    (*space of the layer, K) one map per feature.
    """
    network, pixels = _open(model, image)
    return _run_until(network, pixels, layer or list_layers(network)[0])


def kernels(model: object, *, layer: str | None = None) -> np.ndarray:
    """The weights of a convolution.

    Parameters
    ----------
    model : Keras network, or trained method.
    layer : its name; by default the first convolution.

    Returns
    -------
    (*size, C, K) one kernel per feature map, and per channel that it reads.
    """
    network = _find_network(model)
    weights = _find_layer(network, layer or list_layers(network)[0]).get_weights()
    if not weights or weights[0].ndim != len(network.inputs[0].shape):
        raise UserError(
            "Kernels are those of a convolution.",
            f"layer {layer}",
            f"Choose one of: {', '.join(list_layers(network))}.",
        )
    return weights[0]


def list_layers(model: object) -> list[str]:
    """Names of the convolutions of more than one pixel, in order; without any, of what makes maps.

    Parameters
    ----------
    model : Keras network, or trained method.

    Raises
    ------
    UserError : no layer makes maps.
    """
    network = _find_network(model)
    ndim = len(network.inputs[0].shape)
    making = [
        layer
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer) and _has_maps(layer, ndim)
    ]
    wide = [layer.name for layer in making if max(_kernel_size(layer)) > 1]
    if not making:
        raise UserError(
            "A layer must make maps, to be shown.",
            f"a network of {len(network.layers)} layers without one",
            "Choose a network with convolutions.",
        )
    return wide or [layer.name for layer in making]


def _has_maps(layer: keras.Layer, ndim: int) -> bool:
    shape = getattr(layer.output, "shape", ())
    return len(shape) == ndim


def _kernel_size(layer: keras.Layer) -> tuple[int, ...]:
    return tuple(getattr(layer, "kernel_size", (1,))) if "Conv" in type(layer).__name__ else (1,)


def _find_network(model: object) -> keras.Model:
    """The network of a method, as a graph of layers; these and their weights are shared."""
    network = model if isinstance(model, keras.Model) else model.network
    if isinstance(network, keras.Sequential):
        return keras.Model(_inputs(network), network.outputs[0])
    return network


def _open(model: object, image: object) -> tuple[keras.Model, np.ndarray]:
    """Network and (*space, C) float32, scaled as the network gets it."""
    network = _find_network(model)
    if isinstance(model, keras.Model):
        pixels = np.asarray(image, np.float32)
    else:
        pixels = image.select(T=0).to(model.domain.axes + "C").pixels
        pixels, scale = model.normalise(pixels)
        pixels = np.asarray(scale.apply(pixels), np.float32)
    expected = network.inputs[0].shape[1:]
    fits = len(expected) == pixels.ndim and all(
        n in (None, given) for n, given in zip(expected, pixels.shape, strict=True)
    )
    if not fits:
        raise UserError(
            "An image must have the axes that the network reads, channels last.",
            f"an array of {pixels.shape} for {tuple(expected)}",
            "Cut or reshape the image; a single channel is pixels[..., None].",
        )
    _check_grid(network, pixels.shape[:-1])
    return network, pixels


def _check_grid(network: keras.Model, space: tuple[int, ...]) -> None:
    """A network that makes maps halves the image some times: its sides must allow for that."""
    if len(network.outputs[0].shape) != len(network.inputs[0].shape):
        return
    grid = measure_receptive_field(network).grid
    fitting = tuple(n // g * g for n, g in zip(space, grid, strict=True))
    if fitting != space:
        raise UserError(
            f"Sides of the image must be multiples of {' x '.join(map(str, grid))} px.",
            " x ".join(map(str, space)),
            f"Cut the image to {' x '.join(map(str, fitting))} px.",
        )


def _predict(network: keras.Model, batch: np.ndarray) -> object:
    """Output of a batch; without compiling, which would take longer than these few runs."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, network(batch, training=False))


def _per_axis(given: int | tuple[int, ...], space: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(np.broadcast_to(given, len(space)).tolist())


def _place_boxes(
    space: tuple[int, ...], sizes: tuple[int, ...], *, steps: tuple[int, ...]
) -> Iterator[tuple[slice, ...]]:
    """Boxes at a regular distance; the last one of each axis ends with the image."""
    starts = []
    for n, size, step in zip(space, sizes, steps, strict=True):
        starts.append([*range(0, n - size, step), n - size])
    for corner in product(*starts):
        yield tuple(slice(c, c + s) for c, s in zip(corner, sizes, strict=True))


def _batches(boxes: Iterator, most: int) -> Iterator[list]:
    """Lists of at most so many."""
    held = []
    for box in chain(boxes, [None]):
        if held and (box is None or len(held) == most):
            yield held
            held = []
        held.append(box)


def _find_layer(network: keras.Model, name: str) -> keras.Layer:
    names = [layer.name for layer in network.layers]
    require_choice(name, names, rule="A layer must be one of the network.")
    return network.get_layer(name)


def _inputs(network: keras.Model) -> object:
    """A single input by itself: a list of one would be warned of with each array."""
    return network.inputs[0] if len(network.inputs) == 1 else network.inputs


def _run_until(network: keras.Model, pixels: np.ndarray, name: str) -> np.ndarray:
    """(*space, K) output of a layer."""
    until = keras.Model(_inputs(network), _find_layer(network, name).output)
    return _predict(until, pixels[None])[0]


class _Shift(keras.layers.Layer):
    """Adds weights to its input: one per value, 0 at first."""

    def __init__(self, shape: tuple[int, ...], **options):
        super().__init__(**options)
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")

    def call(self, values: keras.KerasTensor) -> keras.KerasTensor:
        return values + self.shift

    def compute_output_shape(self, shape: tuple) -> tuple:
        return shape  # JAX would compare open sides with those of the shift


def _find_gradient(
    network: keras.Model, pixels: np.ndarray, *, name: str, part: OutputPart, shape: tuple[int, ...]
) -> np.ndarray:
    """Gradient of the score by the output (*space, K) of a layer."""
    shift = _Shift(shape, name="explained_shift")
    copied = _copy_with(network, shift, name=name)
    output = copied.output
    if isinstance(output, Mapping):
        output = output[part.output or next(iter(output))]
    learner = keras.Model(_inputs(copied), output)
    target = part.weights(learner.compute_output_shape((1, *pixels.shape))[1:])

    def loss(weights: keras.KerasTensor, values: keras.KerasTensor) -> keras.KerasTensor:
        return -keras.ops.sum(keras.ops.reshape(weights * values, (1, -1)), axis=-1)

    eager = keras.backend.backend() != "jax"  # a graph would be compiled for this one step
    learner.compile(keras.optimizers.SGD(1.0), loss=loss, run_eagerly=eager, jit_compile=not eager)
    learner.train_on_batch(pixels[None], target[None])
    return keras.ops.convert_to_numpy(shift.shift)


def _copy_with(network: keras.Model, shift: _Shift, *, name: str) -> keras.Model:
    """A copy of the network in which nothing learns but the shift behind one layer."""

    def call(layer: keras.Layer, *args: object, **kwargs: object) -> object:
        output = layer(*args, **kwargs)
        return shift(output) if layer.name == name else output

    copied = keras.models.clone_model(network, clone_function=_copy_layer, call_function=call)
    for layer in copied.layers:
        if layer is not shift:
            layer.trainable = False
            if layer.weights:
                layer.set_weights(network.get_layer(layer.name).get_weights())
    return copied


def _copy_layer(layer: keras.Layer) -> keras.Layer:
    """A copy; what is random in training does nothing."""
    if type(layer).__name__ in RANDOM_LAYERS + SPATIAL_RANDOM_LAYERS:
        return keras.layers.Activation("linear", name=layer.name)
    return type(layer).from_config(layer.get_config())


def _enlarge(small: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    """Linear interpolation of a map onto the grid of the image."""
    factors = [n / s for n, s in zip(space, small.shape, strict=True)]
    return ndimage.zoom(small, factors, order=1, mode="nearest", grid_mode=True)
