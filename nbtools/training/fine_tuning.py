"""Fine-tuning: a network that begins with the weights of a trained one, with its encoder frozen or
not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras

from nbtools import training
from nbtools.errors import UserError
from nbtools.training import TrainingSettings

if TYPE_CHECKING:
    from nbtools.methods._keras import KerasMethod

# of the learning rate that the source was trained with: enough to adapt, too little to forget at
# once
SLOWER = 0.3
ENCODER = re.compile(
    r"(.*_)?(stem|enc\d+|down\d+|down_level|middle)(_.*)?$"
)  # layers from the image to the coarsest level
ABOUT_NETWORK = ("ndim", "channels", "spacing", "classes")  # of the domain
ABOUT_TRAINING = {d.name for d in TrainingSettings.declarations()} | {
    "augmentation",
    "freeze_encoder",
    "patch_size",
    "patch_depth",
}


def adapt(settings: TrainingSettings, source: TrainingSettings) -> TrainingSettings:
    """Settings to fine-tune with: where ours are untouched, the source's in what says what the
    model is; and a lower learning rate.
    """
    ours, theirs, untouched = settings.to_dict(), source.to_dict(), type(settings)().to_dict()
    taken = {
        k: theirs[k]
        for k in ours
        if k in theirs and k not in ABOUT_TRAINING and ours[k] == untouched[k] != theirs[k]
    }
    if settings.learning_rate == untouched["learning_rate"]:
        taken["learning_rate"] = SLOWER * source.learning_rate
    return settings.replace(**taken)


def prepare_network(method: KerasMethod) -> None:
    """Give the new network of a method the weights to begin with, where it has a source, and freeze
    its encoder where asked for.

    Raises
    ------
    UserError : the networks differ; nothing to freeze.
    """
    if method.source is not None:
        _copy_weights(method)
    if not getattr(method.settings, "freeze_encoder", False):
        return
    if method.source is None:
        remedy = "Give a model with --init (start_from), or set freeze_encoder=false."
        raise UserError(
            "Only an encoder that has learned can be frozen.",
            "freeze_encoder without a model to begin with",
            remedy,
        )
    frozen = [layer for layer in flatten_layers(method.model) if ENCODER.match(layer.name)]
    if not frozen:
        raise UserError(
            "A frozen encoder needs a network that has one.",
            method.name,
            "Set freeze_encoder=false.",
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


def _copy_weights(method: KerasMethod) -> None:
    ours, theirs = ([tuple(v.shape) for v in m.model.weights] for m in (method, method.source))
    if ours != theirs:
        sizes = [f"{m.model.count_params():,} parameters" for m in (method, method.source)]
        received = f"{sizes[0]}, model with {sizes[1]}{_say_differences(method)}"
        remedy = "Use the model's settings, and images of its kind."
        raise UserError("The network must be that of the model to begin with.", received, remedy)
    training.set_weights(
        method.model, [keras.ops.convert_to_numpy(v) for v in method.source.model.weights]
    )


def _say_differences(method: KerasMethod) -> str:
    """Where method and source differ, as far as that can shape a network."""
    a, b = method.settings.to_dict(), method.source.settings.to_dict()
    found = [
        f"{k}={a[k]} (model: {b[k]})"
        for k in a
        if k in b and k not in ABOUT_TRAINING and a[k] != b[k]
    ]
    ours, theirs = (
        {k: getattr(m.domain, k) for k in ABOUT_NETWORK} for m in (method, method.source)
    )
    found += [f"{k} {ours[k]} (model: {theirs[k]})" for k in ABOUT_NETWORK if ours[k] != theirs[k]]
    return f"; {', '.join(found)}" if found else ""
