"""KerasMethod: fit and predict for our own networks, each with a target and a loss."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np

from nbtools import augment, nets, patches, tasks
from nbtools.data import DataSet, Sample
from nbtools.errors import UserError, require_choice
from nbtools.image import Image
from nbtools.inference import (
    Activated,
    Forecast,
    Inference,
    ReceptiveField,
    ScaleSearch,
    TestTimeAugmentation,
    Tiled,
)
from nbtools.inference.base import Maps
from nbtools.inference.blocks import BlockNeeds, Place, Work
from nbtools.inference.receptive_field import measure_receptive_field
from nbtools.inference.run_network import run_network
from nbtools.io.stored import StoredPixels
from nbtools.methods import network_blocks, outline
from nbtools.methods.grey_scaling import GreyScaling
from nbtools.methods.method import Method, Prediction
from nbtools.methods.settings import NetworkSettings
from nbtools.patches import Example
from nbtools.plausibility import Finding, judge_scale
from nbtools.targets.base import LabelTarget
from nbtools.targets.restored import RestoredTarget
from nbtools.training import (
    KEPT,
    Examples,
    History,
    Supervised,
    Trainer,
    TrainingPlan,
    TrainingSettings,
    TrainStep,
    read_weights,
    write_weights,
)
from nbtools.training.examples import (
    ExampleMaker,
    crop_example,
    draw_patch,
    measure_objects,
    split_channels,
    stack_arrays,
    truth_of,
)
from nbtools.training.fine_tuning import (
    adapt_preset,
    adapt_settings,
    copy_encoder,
    copy_weights,
    describe_encoder,
    freeze_encoder,
    list_differences,
)
from nbtools.training.threshold_search import choose_pieces, coordinate_search
from nbtools.training.validation import BATCHES, make_validation

SAVING_SECONDS = 4.0  # of a budget in minutes, kept for writing the model
BLENDED = (
    "The network depends on how much of an image it is given: {count} tiles of its own size were "
    "blended, and differ a little from the image in one piece. They have that size whatever --tile "
    "asks for, so that an image has one result."
)


class KerasMethod(GreyScaling, Method):
    """A method whose prediction is one Keras network.

    A subclass gives `Target`, `loss` and `build`; where it differs from the usual, `normalization`,
    `step`, `inference`, `run`.
    """

    Settings = NetworkSettings
    needs: ClassVar[tuple[str, ...]] = ("labels",)
    # a stopped and resumed run equals one that was not; False: it resumes its weights only
    exact_resume: ClassVar[bool] = True
    # one graph of layers from image to maps; False: two stages, which no file can hold
    is_one_graph: ClassVar[bool] = True
    draws_by_share: ClassVar[bool] = True
    model: keras.Model | None = None
    field: ReceptiveField | None = None
    largest: tuple[int, ...] | None = None  # spatial shape that holds every training image
    source: Method | None = None  # the model whose weights training begins with
    source_parts: str = "all"
    # weights that training set aside: "last" where the best were kept, or "best"
    other_weights: dict[str, list[np.ndarray]] | None = None

    # --- what a method says

    @abstractmethod
    def build(self) -> keras.Model:
        """The network for `self.domain` and `self.settings`: (B, *space, C) → (B, *space, K)."""

    @abstractmethod
    def loss(self) -> Callable | Mapping[str, Callable]:
        """(truth, output) → one number per image; by name for a network of several outputs."""

    def target_fields(self) -> dict:
        """The normalisation of the training set, where there is one for all images."""
        return {} if self.scale is None else {"scale": self.scale}

    def step(self, settings: TrainingSettings) -> TrainStep:
        """What one batch does."""
        return Supervised(self.model, self.loss(), settings)

    def inference(self) -> Inference:
        """How the network runs over an image."""
        tiles = TestTimeAugmentation(Tiled(self.field), getattr(self.settings, "tta", "none"))
        inner = Activated(tiles, self.target().activate)
        return self.search_scale(inner) if getattr(self.settings, "auto_scale", False) else inner

    def run(self, pixels: np.ndarray) -> Maps:
        """Run the network on a tile, or on several at once.

        Parameters
        ----------
        pixels : (*tile, C) normalised grey values; with an axis in front, of several tiles.

        Returns
        -------
        (*tile, K) raw output, with the same axis in front.
        """
        return run_network(self.network, pixels)

    def choose_view(self, rng: np.random.Generator, example: Example) -> Example:
        """The part of a training example that patches are cut from: all of it."""
        return example

    def notes(self) -> tuple[str, ...]:
        """What was decided for the training images, a sentence each, to be told before training."""
        return ()

    def training_settings(self) -> TrainingSettings:
        """The settings that training follows: those of the user, unless the method has a reason."""
        return self.settings

    def patch_shape(self) -> tuple[int, ...]:
        """Spatial shape of a training patch, in pixels.

        It is that of the settings, no larger than the largest image, rounded up to a multiple of
        the pooling grid.
        """
        plane = (self.resolve("patch_size"),) * 2
        size = (self.settings.patch_depth, *plane)[-self.domain.ndim :]
        size = np.minimum(size, self.largest) if self.largest else size
        return tuple(int(-(-s // g) * g) for s, g in zip(size, self.field.grid, strict=True))

    @property
    def foreground(self) -> float:
        """Share of training patches that are laid on a nucleus."""
        return getattr(self.settings, "foreground", patches.FOREGROUND)

    # --- settings

    @classmethod
    def suggest(cls, train: DataSet) -> dict:
        """Suggest settings for a data set: a patch that is no larger than its images.

        Parameters
        ----------
        train : data set, of which up to about eight images are read.

        Returns
        -------
        Name → value of the settings to change; {} where the defaults suit.
        """
        step = max(1, len(train) // 8)
        shapes = np.array([train.image(i).space_shape for i in range(0, len(train), step)])
        known, least = {d.name: d for d in cls.Settings.declarations()}, shapes.min(axis=0)
        wished = {"patch_size": int(least[-2:].min()) // 16 * 16, "patch_depth": int(least[0])}
        if len(least) == 2:
            del wished["patch_depth"]
        changes = {}
        for name, value in wished.items():
            usual = known[name].default or cls.Settings.defaults_by_ndim[name][len(least)]
            if value < usual:
                changes[name] = max(value, int(known[name].min))
        return changes

    def resolve(self, name: str) -> object:
        """A setting; where it is empty, the default for the number of spatial axes, or None."""
        value = getattr(self.settings, name)
        if value is not None:
            return value
        return self.settings.defaults_by_ndim.get(name, {}).get(self.domain.ndim)

    def start_from(self, source: Method, *, parts: str = "all") -> None:
        """Begin training with the weights of a model, or with those of its encoder alone.

        With all weights, settings that were not changed are taken from the model, and the learning
        rate is lowered.

        Parameters
        ----------
        source : trained model.
        parts : "all", or "encoder" where the model is of another task.

        Raises
        ------
        UserError : the model has no network.
        """
        if getattr(source, "model", None) is None or not isinstance(source, KerasMethod):
            super().start_from(source, parts=parts)
        require_choice(parts, ("all", "encoder"), rule="All weights of a model, or its encoder.")
        self.source, self.source_parts = source, parts
        self.origin = {"method": source.name} | ({} if parts == "all" else {"parts": parts})
        adapt = adapt_settings if parts == "all" else adapt_preset
        self.settings = adapt(self.settings, source.settings)

    # --- learning

    def view(self, dataset: DataSet, *, like: DataSet) -> DataSet:
        """The data set with each time point of a movie as an image of its own.

        Where the settings split colours, each channel of a colour image is one, too.

        Parameters
        ----------
        dataset : training or validation images.
        like : training images.
        """
        if not self.Target.time_points_apart or not len(dataset):
            return dataset
        dataset = dataset.frames()
        if self.splits_channels(dataset.image(0)):
            parts = [part for sample in dataset for part in split_channels(sample)]
            return DataSet.of(parts, name=dataset.name)
        return dataset

    def prepare(self, train: DataSet) -> None:
        """Settle defaults that depend on the images, and measure the scale of the whole set.

        Parameters
        ----------
        train : training images.

        Raises
        ------
        UserError : colour images for a method that measures one noise.
        """
        if self.settings.steps_per_epoch is None:
            steps = self.resolve("steps_per_epoch")
            self.settings = self.settings.replace(steps_per_epoch=steps)
        colour = train[0].image.is_rgb and self.domain.channels > 1
        if colour and getattr(self.settings, "colour", "") == "refuse":
            raise UserError(
                "A colour image is no measurement of one noise.",
                f"{train.names[0]}, RGB",
                "Give one channel with --channel, or have each colour restored by itself with "
                "colour=split.",
            )
        if self.normalization.whole_set:
            self.measure_scale(train)

    def splits_channels(self, image: Image) -> bool:
        """Whether the channels of a colour image are predicted one by one, as the settings say."""
        split = getattr(self.settings, "colour", "") == "split"
        return split and image.is_rgb and self.domain.channels == 1

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Train the network, then choose decoding values on the validation images.

        Parameters
        ----------
        train : images with the partners that the method needs.
        val : validation images, or None.
        plan : seed, budget, folder of the checkpoint, callbacks.
        history : is not used: the trainer makes its own.

        Returns
        -------
        History of the training, with the score of the decoding values among its best.
        """
        keras.utils.set_random_seed(plan.seed)
        counts = self.count_objects(train)
        often = train.balance(self.weigh_examples(train, counts))
        examples = Examples(train, self.make_example, often)
        self.adopt(self.build())
        self.prepare_network()
        for note in (*self.notes(), *describe_encoder(self.origin)):
            plan.tell("on_note", note)
        settings = self.training_settings()
        step = self.step(settings)
        trainer = Trainer(step, settings, plan)
        unseen = Examples(val or (), self.make_example, np.ones(len(val or ())))
        plain = partial(self.draw_pair, policy=augment.POLICIES["none"])
        size = self.resolve("batch_size")
        about = {"batch_size": size, "batches": self.count_validation(len(unseen), size)}
        validate = make_validation(step, unseen, draw_pair=plain, seed=plan.seed, **about)
        history = trainer.run(lambda rng: self.draw_batch(rng, examples), validate)
        self.other_weights = trainer.other_weights
        judged = self.select_judged(val)
        if judged and self._open_candidates():
            self.tuned, score = self._search_thresholds(judged, plan)
            history.best["val_mean_ap" if "labels" in self.needs else "val_score"] = score
        return history

    def select_judged(self, val: DataSet | None) -> DataSet | None:
        """Validation images that decoding values are chosen on: those that have their partners."""
        if not val or not self.welcomes:
            return val
        return val.subset(np.flatnonzero(val.which_have(self.needs[0])))

    def weigh_examples(self, train: DataSet, counts: list[int]) -> np.ndarray:
        """How often each image is drawn: one of many nuclei more often than one of few.

        Parameters
        ----------
        train : training images.
        counts : nuclei of each.
        """
        return np.sqrt(1 + np.array(counts))

    def count_validation(self, images: int, size: int) -> int:
        """Batches of patches that the validation loss is measured on.

        Parameters
        ----------
        images : number of validation images.
        size : patches per batch.
        """
        return BATCHES

    def count_objects(self, train: DataSet) -> list[int]:
        """Measure the size of the images and of the nuclei, and count the nuclei.

        Parameters
        ----------
        train : training images; nuclei are counted where a method learns from labels or points.

        Returns
        -------
        Number of nuclei of each image.
        """
        shapes = [train.image(i).space_shape for i in range(len(train))]
        self.largest = tuple(np.max(shapes, axis=0).tolist())
        if not {"labels", "points"} & set(self.needs):
            return [0] * len(train)
        sizes, counts = measure_objects(train)
        self.note_nucleus_size(sizes)
        return counts

    def make_example(self, sample: Sample, *, encode: bool = True) -> Example:
        """Make a training example of a sample: normalised image, partners and encoded truth.

        Parameters
        ----------
        sample : image with the partners that the method needs.
        encode : also encode the truth, unless the target encodes it in each patch.
        """
        make = ExampleMaker(
            axes=self.domain.axes,
            check=self.check_image,
            prepare=self.normalise,
            needs=self.needs,
            welcomes=self.welcomes,
            classes=self.domain.classes,
        )
        example, target = make(sample), self.target()
        if not encode or target.per_patch:
            return example
        return replace(example, maps=target.encode(example))

    def draw_batch(self, rng: np.random.Generator, examples: Examples) -> tuple[Maps, Maps]:
        """Draw one training batch.

        Parameters
        ----------
        rng : source of all draws.
        examples : training images.

        Returns
        -------
        (B, *size, C) and (B, *size, K) float32, or one array per output.
        """
        policy = augment.POLICIES[self.settings.augmentation]
        count = self.resolve("batch_size")
        pairs = [self.draw_pair(rng, examples.draw(rng), policy=policy) for _ in range(count)]
        x, y = zip(*pairs, strict=True)
        return stack_arrays(x), stack_arrays(y)

    def draw_pair(
        self,
        rng: np.random.Generator,
        example: Example,
        *,
        policy: augment.AugmentationPolicy,
    ) -> tuple[Maps, Maps]:
        """Draw one patch: what the network is given, and what it is to predict.

        Parameters
        ----------
        rng : source of all draws.
        example : training image with its partners.
        policy : strengths of the variations.

        Returns
        -------
        (*size, C) and (*size, K).
        """
        view = self.choose_view(rng, example)
        size, foreground = self.patch_shape(), self.foreground
        patch = draw_patch(rng, view, policy=policy, size=size, foreground=foreground)
        return self.target().make_pair(rng, patch)

    def prepare_network(self) -> None:
        """Weights to begin with, where there is a source, and a frozen encoder where asked for."""
        if self.source is not None:
            if self.source_parts == "encoder":
                copied, layers = copy_encoder(self.model, self.source.model)
                self.origin |= {"layers": copied, "of": layers}
            else:
                ours, theirs = (
                    m.settings.to_dict() | m.domain.describe_shape() for m in (self, self.source)
                )
                differences = list_differences(ours, theirs)
                copy_weights(self.model, self.source.model, differences=differences)
        if not getattr(self.settings, "freeze_encoder", False):
            return
        if self.origin is None:
            raise UserError(
                "Only an encoder that has learned can be frozen.",
                "freeze_encoder without a model to begin with",
                "Give a model with --init (start_from), or set freeze_encoder=false.",
            )
        freeze_encoder(self.model, name=self.name)

    def _open_candidates(self) -> dict[str, tuple]:
        """Decoding values to try, where the settings leave them open."""
        options = self.target().candidates()
        return {k: values for k, values in options.items() if getattr(self.settings, k) is None}

    def _search_thresholds(self, val: DataSet, plan: TrainingPlan) -> tuple[dict, float]:
        """Decoding values of the highest score on pieces of the validation images.

        The search takes the time that the budget leaves.
        """
        seconds = plan.seconds_left() - SAVING_SECONDS
        ends, pairs = time.monotonic() + seconds / 2, []
        about = {"axes": self.domain.axes, "classes": self.domain.classes}
        shapes = [val.image(i).space_shape for i in range(len(val))]
        for i, piece in choose_pieces(shapes, seed=plan.seed):
            if pairs and time.monotonic() > ends:
                break
            example = crop_example(self.make_example(val[i], encode=False), piece)
            pairs.append((truth_of(example, **about), self.infer_normalised(example.image)))
        task = tasks.of_result(pairs[0][0])

        def score(values: dict) -> float:
            return task.tuning_score([(true, self.decode(maps, **values)) for true, maps in pairs])

        values, left = self.decoding_values(), ends + seconds / 2 - time.monotonic()
        return coordinate_search(values, self._open_candidates(), score=score, seconds=left)

    # --- predicting

    def adopt(self, model: keras.Model) -> None:
        """Take a network as the method's own."""
        self.model = nets.cpu_optimize(model)
        self.field = measure_receptive_field(model)
        if keras.backend.backend() == "tensorflow":
            # images differ in size, and XLA would compile anew for each
            model.jit_compile = False

    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> Maps:
        """(*space, C) grey values → (*space, K) maps to decode."""
        pixels, scale = self.normalise(pixels)
        return self.inference()(lambda cut: self.run(scale.apply(cut)), pixels, tile=tile)

    def infer_normalised(self, pixels: np.ndarray) -> Maps:
        """(*space, C) normalised → (*space, K) maps to decode, on the grid of the pixels."""
        inference = self.inference()
        if isinstance(inference, ScaleSearch):
            # centres are found by values that are yet to be chosen: no size can be judged by them
            labels = issubclass(self.Target, LabelTarget)
            inference = replace(inference, returns=True) if labels else inference.inner
        return inference(self.run, pixels)

    @property
    def network(self) -> keras.Model:
        """The network whose output is decoded: that which learns, or a part of it."""
        return self.model

    def search_scale(self, inner: Inference) -> Inference:
        """Wrap an inference to predict planes at the best magnification; volumes are left alone."""
        if self.domain.ndim != 2:
            return inner
        about = {"values": self.decoding_values(), "usual": self.domain.nucleus_size}
        varied = augment.POLICIES[self.settings.augmentation].scale
        return ScaleSearch.by(inner, self.target(), **about, varied=varied)

    def describe_misfit(
        self, image: Image, result: Prediction, *, given: bool
    ) -> tuple[Finding, ...]:
        """Find what makes a result doubtful.

        With one normalisation for the whole set, grey values are compared with its scale.

        Parameters
        ----------
        image : as it was predicted.
        result : with the nuclei found.
        given : whether a diameter of the nuclei was given.
        """
        found = super().describe_misfit(image, result, given=given)
        if self.scale is None:
            return found
        pixels = image.select(T=0).to(self.domain.axes + "C").pixels
        theirs = self.normalization.measure(pixels.reshape(-1, 1, pixels.shape[-1]))
        return found + judge_scale(theirs, self.scale)

    def forecast_shape(
        self, shape: tuple[int, ...], *, tile: tuple[int, ...] | None, image: Image
    ) -> Forecast | None:
        """What the network needs for an image of this shape."""
        if len(shape) != len(self.field.grid):
            return None
        return self.inference().forecast(shape, tile=tile, frames=image.size("T"))

    def works_in_blocks(self, image: Image) -> bool:
        """Images without T: labels and restored ones, unless the network must see the whole."""
        return network_blocks.can_predict(self, image)

    def block_needs(self, image: Image) -> BlockNeeds:
        """Field and maps of the network, and some nuclei around a core."""
        about = {"restores": issubclass(self.Target, RestoredTarget), "channels": image.size("C")}
        return network_blocks.find_needs(self.field, self.domain, **about)

    def open_blocks(self, image: Image) -> Work:
        """Maps and labels of each block; scale and magnification are those of the image."""
        return network_blocks.open_blocks(self, image)

    def read_mended(self, pixels: StoredPixels) -> Callable[[Place], np.ndarray]:
        """How any place of an image in a file is read, faults mended, and depth as it is."""
        return network_blocks.read_mended(pixels, self.normalization)

    def describe_tiles(self, needed: Forecast | None) -> tuple[Finding, ...]:
        """A warning where the field of the network has no bound and several tiles are blended."""
        if self.field.radius is not None or needed is None or needed.tiles <= 1:
            return ()
        return (Finding("blended_tiles", BLENDED.format(count=needed.tiles)),)

    # --- on disk

    def describe_model(self) -> dict:
        """How grey values are normalised, the size of the network, and what it takes of memory."""
        known = self.describe_scaling() | outline.describe(self)
        return known | {"parameters": self.model.count_params()}

    def save_weights(self, folder: Path) -> None:
        """Write weights.npz, and the other weights that training kept."""
        write_weights(self.model, folder, others=self.other_weights)

    def load_weights(self, folder: Path) -> None:
        """Build the network, and read its weights from the folder of a model."""
        self.read_description(folder)
        self.adopt(self.build())
        read_weights(self.model, folder)

    def change_weights(self, folder: Path, weights: str) -> None:
        """Load the best or the last weights in place of those that training chose.

        Parameters
        ----------
        folder : of the model.
        weights : "best" or "last".

        Raises
        ------
        UserError : another name, or weights that the model did not keep.
        """
        if weights not in KEPT:
            raise UserError(
                "The weights of a model are its best or its last.",
                repr(weights),
                "Use best or last.",
            )
        which = None if weights == self.settings.checkpoint else weights
        read_weights(self.model, folder, which=which)
