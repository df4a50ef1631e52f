"""Fine-tuning: begin with the weights of a trained network, or of its encoder alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import keras

from nbtools.config import Settings
from nbtools.errors import UserError
from nbtools.training.settings import TrainingSettings
from nbtools.training.weights import set_weights

# of the learning rate that the source was trained with: enough to adapt, too little to forget at
# once
SLOWER = 0.3
# layers from the image to the coarsest level
ENCODER = re.compile(r"(.*_)?(stem|enc\d+|down\d+|down_level|middle)(_.*)?$")
FURTHER = {"augmentation", "freeze_encoder", "patch_size", "patch_depth"}
ABOUT_TRAINING = {d.name for d in TrainingSettings.declarations()} | FURTHER


def adapt_settings(settings: Settings, source: Settings) -> Settings:
    """Take over the settings of a model to fine-tune, and lower the learning rate.

    Settings that were changed from their default stay, and so do those of the training itself.

    Parameters
    ----------
    settings : of the new training.
    source : settings of the model to begin with.

    Returns
    -------
    Settings to train with; a learning rate at its default becomes SLOWER times that of the source.
    """
    ours, theirs, untouched = settings.to_dict(), source.to_dict(), type(settings)().to_dict()
    taken = {}
    for name, value in ours.items():
        open_to_change = name in theirs and name not in ABOUT_TRAINING and value == untouched[name]
        if open_to_change and theirs[name] != value:
            taken[name] = theirs[name]
    if settings.learning_rate == type(settings)().learning_rate:
        taken["learning_rate"] = SLOWER * source.learning_rate
    return settings.replace(**taken)


def adapt_preset(settings: Settings, source: Settings) -> Settings:
    """Take over the preset of a model whose encoder a training begins with, so that layers match.

    The rest of the network is untrained, so the learning rate stays.

    Parameters
    ----------
    settings : of the new training; a preset that was chosen stays.
    source : settings of the model with the encoder.
    """
    preset, choices = getattr(source, "preset", None), settings.declaration("preset").choices
    if settings.preset != type(settings)().preset or preset not in choices:
        return settings
    return settings.replace(preset=preset)


def copy_weights(model: keras.Model, source: keras.Model, *, differences: str = "") -> None:
    """Give a network the weights of one of the same shape.

    Parameters
    ----------
    model : is changed in place.
    source : has the weights.
    differences : where settings and images of the two differ, for the message.

    Raises
    ------
    UserError : the networks differ.
    """
    if list_shapes(model) != list_shapes(source):
        sizes = [f"{m.count_params():,} parameters" for m in (model, source)]
        raise UserError(
            "The network must be that of the model to begin with.",
            f"{sizes[0]}, model with {sizes[1]}{differences}",
            "Use the model's settings, and images of its kind; or begin with its encoder alone.",
        )
    set_weights(model, [keras.ops.convert_to_numpy(v) for v in source.weights])


def copy_encoder(model: keras.Model, source: keras.Model, *, prefix: str = "") -> tuple[int, int]:
    """Copy the encoder weights of another network, layer by layer of the same name and shape.

    Parameters
    ----------
    model : is changed in place.
    source : has the weights.
    prefix : what the names of the layers of `model` begin with, and those of the source do not;
        other layers stay.

    Returns
    -------
    Number of layers that were copied, and of all layers of the encoder that have weights.

    Raises
    ------
    UserError : no layer of the encoder matches.
    """
    known = {layer.name: layer for layer in flatten_layers(source)}
    own = [la for la in flatten_layers(model) if la.name.startswith(prefix)]
    encoder = [la for la in own if la.weights and ENCODER.match(la.name)]
    copied = 0
    for layer in encoder:
        other = known.get(layer.name.removeprefix(prefix))
        if other is None or list_shapes(layer) != list_shapes(other):
            continue
        for variable, value in zip(layer.weights, other.weights, strict=True):
            variable.assign(value)
        copied += 1
    if not copied:
        raise UserError(
            "An encoder must have layers that the network has, too.",
            f"{model.name}, model with {source.name}",
            "Begin with a model of the same family and preset, or train it without --init.",
        )
    return copied, len(encoder)


def describe_encoder(origin: dict | None) -> tuple[str, ...]:
    """Say how much of an encoder there was to begin with; () where training does not with one.

    Parameters
    ----------
    origin : method of the model to begin with, "parts", and "layers" of the encoder "of" all.
    """
    if not origin or "of" not in origin:
        return ()
    share = f"{origin['layers']} of {origin['of']} layers of the encoder begin with the weights of"
    others = "; the others, of other shapes, at random" if origin["layers"] < origin["of"] else ""
    return (f"{share} {origin['method']}{others}.",)


def list_shapes(layer: keras.Layer) -> list[tuple[int, ...]]:
    """The shapes of the weights of a layer or network, in their order."""
    return [tuple(variable.shape) for variable in layer.weights]


def freeze_encoder(model: keras.Model, *, name: str) -> None:
    """Make the encoder layers of a network untrainable, in place.

    Parameters
    ----------
    model : with an encoder.
    name : of the method, for the error.

    Raises
    ------
    UserError : the network has no encoder.
    """
    frozen = [layer for layer in flatten_layers(model) if ENCODER.match(layer.name)]
    if not frozen:
        raise UserError(
            "A frozen encoder needs a network that has one.", name, "Set freeze_encoder=false."
        )
    for layer in frozen:
        layer.trainable = False


def flatten_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of a network, and those of networks inside it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flatten_layers(layer)
        else:
            yield layer


def list_differences(ours: dict, theirs: dict) -> str:
    """List the differences between two models that can shape their networks, in words.

    Parameters
    ----------
    ours, theirs : settings and shape of the images, name → value.

    Returns
    -------
    Text to append to a sentence; "" where nothing differs.

    Examples
    --------
    >>> list_differences({"preset": "small"}, {"preset": "paper"})
    '; preset=small (model: paper)'
    """
    found = []
    for name, value in ours.items():
        if name in theirs and name not in ABOUT_TRAINING and value != theirs[name]:
            found.append(f"{name}={value} (model: {theirs[name]})")
    return f"; {', '.join(found)}" if found else ""
