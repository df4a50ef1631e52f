"""KerasMethod: fit and predict for our own networks. A method on top of it says only what network,
what targets, what decoding.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np

from nbtools import augment, nets, normalize, patches, tiling, training
from nbtools.config import setting
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import _rescale, _start, _tune
from nbtools.methods._examples import Example, Examples
from nbtools.methods.base import Method, Prediction, measure_diameters
from nbtools.targets import classes
from nbtools.training import History, TrainingPlan, TrainingSettings

VALIDATION_BATCHES = 4
SAVING_SECONDS = 4.0  # of a budget in minutes, kept for writing the model
BLENDED = (
    "The network looks at a tile as a whole: {count} tiles of its own size were blended, and "
    "differ a little from the image in one piece. "
    "They have that size whatever --tile asks for, so that an image has one result."
)


@dataclass(frozen=True)
class KerasSettings(TrainingSettings):
    """Settings of every network of ours."""

    patch_size: int | None = setting(
        None,
        unit="px",
        min=16,
        max=4096,
        step=16,
        help="Side of a training patch in the plane; empty: 192, in volumes 64.",
    )
    patch_depth: int = setting(
        16,
        unit="px",
        min=1,
        max=1024,
        level="advanced",
        help="Planes of a training patch of a volume.",
    )
    batch_size: int | None = setting(
        None, min=1, max=1024, help="Patches looked at together; empty: 4, in volumes 2."
    )
    augmentation: str = setting(
        "standard",
        choices=tuple(augment.POLICIES),
        help=("How strongly training patches are varied."),
    )
    freeze_encoder: bool = setting(
        False,
        level="advanced",
        help=(
            "Fine-tuning: keep what the model to begin with sees, and learn only what to make of "
            "it."
        ),
    )


class KerasMethod(Method):
    """A method whose prediction is one Keras network, run tile by tile.

    A subclass gives `loss` and the hooks `build`, `encode` or `targets`, and `decode`.
    """

    Settings = KerasSettings
    loss: ClassVar[Callable]
    needs: ClassVar[str | None] = "labels"
    foreground: float = patches.FOREGROUND  # share of training patches that are laid on a nucleus
    usual: ClassVar[dict[str, dict[int, int]]] = {
        "patch_size": {2: 192, 3: 64},
        "batch_size": {2: 4, 3: 2},
    }  # where empty, by dimension
    exact_resume: ClassVar[bool] = (
        # a stopped and resumed run equals one that was not; False: it resumes its weights only
        True
    )
    model: keras.Model | None = None
    largest: tuple[int, ...] | None = None  # spatial shape that holds every training image
    source: Method | None = None  # the model whose weights training begins with
    spare: dict[str, list[np.ndarray]] | None = (
        None  # weights that training set aside: "last" where the best were kept, or "best"
    )

    @classmethod
    def suggest(cls, train: DataSet) -> dict:
        """Settings that suit these images: a patch no larger than they are; {} where the defaults
        do.
        """
        shapes = np.array(
            [train.image(i).space_shape for i in range(0, len(train), max(1, len(train) // 8))]
        )
        known, least = {d.name: d for d in cls.Settings.declarations()}, shapes.min(axis=0)
        wished = {"patch_size": int(least[-2:].min()) // 16 * 16, "patch_depth": int(least[0])}
        usual = {name: known[name].default or cls.usual[name][len(least)] for name in wished}
        changes = {k: max(v, int(known[k].min)) for k, v in wished.items() if v < usual[k]}
        return (
            changes if len(least) == 3 else {k: v for k, v in changes.items() if k != "patch_depth"}
        )

    def chosen(self, name: str) -> int | None:
        """A setting, or where it is left empty what is usual for images of this dimension; None
        where nothing is.
        """
        value = getattr(self.settings, name)
        return self.usual.get(name, {}).get(self.domain.ndim) if value is None else value

    @abstractmethod
    def build(self) -> keras.Model:
        """The network for `self.domain` and `self.settings`: (B, *space, C) → (B, *space, K)."""

    def encode(self, label: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray | None:
        """Maps (*space, K) made once an image and turned with it; None where targets are made from
        each patch.
        """
        return None

    def encode_classes(
        self, label: np.ndarray, spacing: tuple[float, ...], *, classes: dict[int, int]
    ) -> np.ndarray | None:
        """As `encode`, where nuclei have classes.  classes : label → number from 1; a label that is
        not in it is of unknown class.
        """
        return self.encode(label, spacing)

    def choose_view(self, rng: np.random.Generator, example: Example) -> Example:
        """What of a training image a patch is cut from: all of it."""
        return example

    def targets(
        self,
        rng: np.random.Generator,
        image: np.ndarray,
        label: np.ndarray | None,
        maps: np.ndarray | None,
    ) -> tuple:
        """(x, y) of one patch: (*space, C) and (*space, K) float32."""
        return image, maps

    def activate(self, raw: np.ndarray) -> np.ndarray:
        """The network's raw output → maps to decode: probabilities instead of logits."""
        return raw

    def notes(self) -> tuple[str, ...]:
        """What was decided for the training images, a sentence each, to be told before training
        starts.
        """
        return ()

    def training_settings(self) -> TrainingSettings:
        """The settings that training itself follows: those of the user, unless the method has a
        reason.
        """
        return self.settings

    def candidates(self) -> dict[str, tuple]:
        """Decoding values to try on validation images, where the settings leave them open: name →
        values.
        """
        return {}

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        plan = plan or TrainingPlan()
        self.start_fit(train, self.needs)
        keras.utils.set_random_seed(plan.seed)
        counts = self._look_at_labels(train)
        examples = Examples(train, self._prepare, np.sqrt(1 + np.array(counts)))
        self._use(self.build())
        _start.prepare_network(self)
        for note in self.notes():
            plan.tell("on_note", note)
        trainer = training.Trainer(self.model, self.loss, self.training_settings(), plan)
        held_back = Examples(val or (), self._prepare, np.ones(len(val or ())))
        self.history = trainer.run(
            lambda rng: self.draw(rng, examples), self._validation(held_back, plan.seed)
        )
        self.spare = trainer.spare
        if len(held_back) and self._open_candidates():
            self.tuned, score = self._tune(val, plan)
            self.history.best["val_mean_ap"] = score
        return self.history

    def start_from(self, source: Method) -> None:
        """Fine-tune: begin with the weights of a model, with its settings where none were set, at a
        lower learning rate.
        """
        if getattr(source, "model", None) is None or not isinstance(source, KerasMethod):
            super().start_from(source)
        self.source, self.origin = source, {"method": source.name}
        self.settings = _start.adapt(self.settings, source.settings)

    def predict(
        self, image: Image, *, tile: tuple[int, ...] | None = None, **options
    ) -> Prediction:
        """As every method's; where the field of the network has no bound and several tiles are
        blended, a warning says so.

        Raises
        ------
        UserError : what the prediction needs is more than the memory that is free.
        """
        told = self.forecast(image, tile=tile, diameter=options.get("diameter"))
        if told is not None and told.needed > told.free:
            remedy = (
                "Leave out --tile, close other programs, or cut the image."
                if tile
                else "Close other programs, or cut the image."
            )
            raise UserError("A prediction must fit into the memory that is free.", told, remedy)
        result = super().predict(image, tile=tile, **options)
        if self.field.radius is None and told is not None and told.tiles > 1:
            result.warnings += (BLENDED.format(count=told.tiles),)
        return result

    def forecast(
        self, image: Image, *, tile: tuple[int, ...] | None = None, diameter: float | None = None
    ) -> tiling.Forecast | None:
        """Tiles and memory that the prediction of this image takes; nothing is computed. None for
        axes that are not the model's.
        """
        if not len(image.spatial) == self.domain.ndim == len(self.field.grid):
            return None
        zoom = _rescale.find_zoom(image, self.domain, diameter=diameter) if self.rescales else None
        shape = tuple(image.size(axis) for axis in self.domain.axes)
        seen = tuple(
            max(1, round(n * z)) for n, z in zip(shape, zoom or (1.0,) * len(shape), strict=True)
        )
        plan = tiling.make_plan(seen, self.field, tile=self.fixed_tile() or tile)
        return tiling.forecast(plan, self.field, frames=image.size("T"))

    def predict_space(
        self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> np.ndarray:
        return self.see(pixels, prepare=self.scale_of(pixels).apply, tile=tile)

    def see(
        self,
        pixels: np.ndarray,
        *,
        prepare: Callable = np.asarray,
        tile: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        """(*space, C) grey values → (*space, K) maps to decode.  prepare : grey values of a tile →
        what the network is given.
        """
        return self.activate(self._run(pixels, prepare, tile))

    def fixed_tile(self) -> tuple[int, ...] | None:
        """Shape of a tile, whatever is asked for, where what the network says depends on how much
        it sees; None: as asked, or by memory.
        """
        return None

    def scale_of(self, pixels: np.ndarray) -> normalize.Scale:
        """How this image's grey values are normalised, in training and in prediction."""
        return normalize.by_percentiles(pixels)

    def draw(self, rng: np.random.Generator, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """One training batch: (B, *size, C) and (B, *size, K)."""
        recipe = augment.POLICIES[self.settings.augmentation]
        batch = [
            self._draw_one(rng, examples.draw(rng), recipe)
            for _ in range(self.chosen("batch_size"))
        ]
        return tuple(
            np.stack(part).astype(np.float32, copy=False) for part in zip(*batch, strict=True)
        )

    def patch_shape(self) -> tuple[int, ...]:
        """Spatial shape of a training patch: as set, no larger than the largest image, a multiple
        of the network's grid.
        """
        size = (self.settings.patch_depth, *(self.chosen("patch_size"),) * 2)[-self.domain.ndim :]
        size = np.minimum(size, self.largest) if self.largest else size
        return tuple(int(-(-s // g) * g) for s, g in zip(size, self.field.grid, strict=True))

    # --- inside

    def _look_at_labels(self, train: DataSet) -> list[int]:
        """Note the size of the images and of the nuclei, and return the number of nuclei an
        image.
        """
        self.largest = tuple(
            np.max([train.image(i).space_shape for i in range(len(train))], axis=0).tolist()
        )
        if self.needs != "labels":
            return [0] * len(train)
        sizes = [measure_diameters(s.label.pixels) if s.label is not None else [] for s in train]
        self.note_nucleus_size(sizes)
        return [len(diameters) for diameters in sizes]

    def _use(self, model: keras.Model) -> None:
        self.model = nets.cpu_optimize(model)
        self.field = tiling.describe_field(model)
        if keras.backend.backend() == "tensorflow":
            model.jit_compile = False  # images differ in size, and XLA would compile anew for each

    def _prepare(self, sample: Sample, *, encode: bool = True) -> Example:
        image = self.check_image(sample.image)
        axes = self.domain.axes
        pixels = image.select(T=0).to(axes + "C").pixels
        label = None
        if self.needs == "labels":
            if sample.label is None:
                remedy = "Remove the image, or label it. See `nbtools check`."
                raise UserError("Every training image needs a label image.", sample.name, remedy)
            label = np.ascontiguousarray(sample.label.select(T=0).to(axes).pixels.astype(np.int32))
            if label.shape != pixels.shape[:-1]:
                received = f"{sample.name}: {pixels.shape[:-1]} and {label.shape}"
                raise UserError(
                    "Image and label must have the same shape.",
                    received,
                    "Export both from the same image.",
                )
        normalised = self.scale_of(pixels).apply(pixels)
        if label is None or not encode:
            return Example(normalised, label, None)
        if not self.domain.classes:
            return Example(
                normalised,
                label,
                self.encode(label, image.relative_spacing),
                patches.find_points(label),
            )
        known = classes.number(sample.classes, self.domain.classes)
        maps = self.encode_classes(label, image.relative_spacing, classes=known)
        return Example(normalised, label, maps, patches.find_points(label), known)

    def _draw_one(
        self, rng: np.random.Generator, example: Example, recipe: augment.AugmentationPolicy
    ) -> tuple:
        example = self.choose_view(rng, example)
        where = {
            "points": example.points,
            "shape": example.image.shape[:-1],
            "size": self.patch_shape(),
        }
        frame = augment.draw_transform(rng, recipe, **where, foreground=self.foreground)
        image = augment.vary_grey(rng, augment.cut(example.image, frame, order=1), recipe=recipe)
        label = None if example.label is None else augment.cut(example.label, frame, order=0)
        maps = None if example.maps is None else augment.cut(example.maps, frame, order=1)
        return self.targets(rng, image, label, maps)

    def _validation(self, held_back: Examples, seed: int) -> Callable[[], dict]:
        """() → {"val_loss"} on a few fixed patches of the validation images; {} without any."""
        if not len(held_back):
            return dict
        plain, size = augment.POLICIES["none"], self.chosen("batch_size")
        rng = np.random.default_rng([seed, 2**31])
        drawn = [
            self._draw_one(rng, held_back[i % len(held_back)], plain)
            for i in range(VALIDATION_BATCHES * size)
        ]
        x, y = (np.stack(part).astype(np.float32) for part in zip(*drawn, strict=True))

        def validate() -> dict:
            losses = [
                training.find_loss(self.model, (x[i : i + size], y[i : i + size]))
                for i in range(0, len(x), size)
            ]
            return {"val_loss": float(np.mean(losses))}

        return validate

    def _run(
        self, pixels: np.ndarray, prepare: Callable, tile: tuple[int, ...] | None
    ) -> np.ndarray:
        plan = tiling.make_plan(pixels.shape[:-1], self.field, tile=self.fixed_tile() or tile)
        return tiling.predict(
            lambda cut: self.forward(prepare(cut)), pixels, plan=plan, field=self.field
        )

    def forward(self, pixels: np.ndarray) -> np.ndarray:
        """(*tile, C) normalised → (*tile, K) raw output of the network."""
        return np.asarray(self.model.predict_on_batch(pixels[None]))[0]

    def _open_candidates(self) -> dict[str, tuple]:
        return {
            name: values
            for name, values in self.candidates().items()
            if getattr(self.settings, name) is None
        }

    def _tune(self, val: DataSet, plan: TrainingPlan) -> tuple[dict, float]:
        """Decoding values with the highest mean AP on pieces of the validation images, in what time
        the budget leaves.
        """
        seconds = plan.seconds_left() - SAVING_SECONDS
        ends, pairs = time.monotonic() + seconds / 2, []
        for i, piece in _tune.choose_pieces(
            [val.image(i).space_shape for i in range(len(val))], seed=plan.seed
        ):
            if pairs and time.monotonic() > ends:
                break
            example = self._prepare(val[i], encode=False)
            pairs.append((example.label[piece], self.see(example.image[piece])))

        def score(values: dict) -> float:
            return _tune.mean_ap([(label, self.decode(maps, **values)) for label, maps in pairs])

        return _tune.climb(
            self.choices(),
            self._open_candidates(),
            score=score,
            seconds=ends + seconds / 2 - time.monotonic(),
        )

    # --- on disk

    def extra(self) -> dict:
        return {
            "normalisation": "percentiles 1 and 99.8 of each image",
            "parameters": self.model.count_params(),
        }

    def save_weights(self, folder: Path) -> None:
        training.write_weights(self.model, folder, spare=self.spare)

    def load_weights(self, folder: Path) -> None:
        self._use(self.build())
        training.read_weights(self.model, folder)

    def change_weights(self, folder: Path, weights: str) -> None:
        if weights not in training.KEPT:
            raise UserError(
                "The weights of a model are its best or its last.",
                repr(weights),
                "Use best or last.",
            )
        training.read_weights(
            self.model, folder, spare=None if weights == self.settings.keep else weights
        )
