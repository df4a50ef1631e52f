"""StarDist: every nucleus as a star-convex polygon or polyhedron; an adapter to the package of its
authors, which runs on TensorFlow.

Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30; in 3D Weigert et al. 2020,
doi:10.1109/WACV45572.2020.9093435. Ours are the patches' variation, schedule, budget, tiles and
files; theirs are network, targets, loss, decoding and, in 2D, the choice of thresholds. Where the
training images say which class a nucleus is of, the package's class head learns them. The package's
own model is `.inner`. A stopped training resumes with its weights; the optimizer starts anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

import keras
import numpy as np

from nbtools import augment, runtime, tiling, training
from nbtools.config import Settings, setting
from nbtools.data import DataSet
from nbtools.image import Image
from nbtools.methods import _star, _start
from nbtools.methods._adapter import FollowPlan, silently
from nbtools.methods._keras import Example, KerasMethod
from nbtools.methods.base import Domain, Prediction
from nbtools.targets.semantic import remove_small_objects
from nbtools.training import History, TrainingPlan

PRESETS = {
    "tiny": {"unet_n_filter_base": 4, "unet_n_depth": 1, "net_conv_after_unet": 8},
    "small": {"unet_n_filter_base": 16, "unet_n_depth": 2},
    "paper": {},  # the package's defaults
}
LIGHT_3D = {"net_conv_after_unet": 64}  # of `small` in volumes, whose steps cost so much more
GRID = {"tiny": 2, "small": 2, "paper": 1}
RAYS = {2: 32, 3: 96}
COARSE = 1.5  # ratio of spacings from which on z is not thinned out
VAL_SHARE, VAL_PATCHES = 0.15, 16
RESERVE = 0.08  # share of a budget in minutes kept for choosing thresholds


@dataclass(frozen=True)
class StarDistSettings(Settings):
    preset: str = setting(
        "small",
        choices=tuple(PRESETS),
        help="Size of the network: small for two cores, paper as published.",
    )
    rays: int | None = setting(
        None,
        min=8,
        max=512,
        help="Directions in which a border is predicted; empty: 32 in 2D, 96 in 3D.",
    )
    grid: int | None = setting(
        None,
        choices=(1, 2, 4),
        level="advanced",
        help="Predict at every so-manieth pixel; empty: 1 for paper, else 2. Coarse z is kept.",
    )
    patch_size: int | None = setting(
        None,
        unit="px",
        min=16,
        max=4096,
        step=16,
        help="Side of a training patch in the plane; empty: 128, in volumes 64.",
    )
    patch_depth: int = setting(
        32,
        unit="px",
        min=1,
        max=1024,
        level="advanced",
        help="Planes of a training patch of a volume.",
    )
    augmentation: str = setting(
        "standard",
        choices=tuple(augment.POLICIES),
        help=("How strongly training patches are varied."),
    )
    epochs: int = setting(
        100,
        min=1,
        max=100_000,
        help="How many times the network is tested on the validation images while it learns.",
    )
    steps_per_epoch: int = setting(50, min=1, max=100_000, help="Batches between two tests.")
    batch_size: int = setting(
        4,
        min=1,
        max=1024,
        help="Patches looked at together; of volumes always one, as the package has it.",
    )
    learning_rate: float = setting(
        1e-3, min=1e-7, max=10.0, level="advanced", help="Highest learning rate of the schedule."
    )
    keep: str = setting(
        "best",
        choices=training.KEPT,
        level="advanced",
        help="The model's weights: of the lowest validation loss, or of the last epoch.",
    )
    threshold: float | None = setting(
        None,
        min=0.01,
        max=0.99,
        help="Probability of a nucleus; chosen on validation images if empty.",
    )
    nms: float | None = setting(
        None,
        min=0.01,
        max=0.99,
        help="Share of a nucleus that another may cover; chosen on validation images if empty.",
    )


@final
class StarDist(KerasMethod):
    Settings = StarDistSettings
    usual: ClassVar[dict[str, dict[int, int]]] = {"patch_size": {2: 128, 3: 64}}
    learns_classes = True
    exact_resume = False
    inner = None  # the package's StarDist2D or StarDist3D
    anisotropy: tuple[float, ...] | None = None  # of the labels, for volumes of unknown spacing

    def build(self) -> keras.Model:
        return self._adopt(_star.make_inner(self._describe_network()))

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        plan = plan or TrainingPlan()
        self.start_fit(train, self.needs)
        keras.utils.set_random_seed(plan.seed)
        self._look_at_labels(train)
        learn, choose = self._share_out(train, val, seed=plan.seed)
        self.anisotropy = _star.measure_anisotropy([e.label for e in learn])
        self._use(self.build())
        _start.prepare_network(self)
        shorter = replace(plan, minutes=plan.minutes and plan.minutes * (1 - RESERVE))
        follow = FollowPlan(self.settings, shorter, done=self._resume(plan))
        with silently():
            self._train(learn, choose, follow=follow, seed=plan.seed)
        self.history, self.spare = follow.result, self._in_our_order(follow.spare)
        left = None if plan.minutes is None else plan.minutes * 60 - runtime.process_seconds() - 3
        self.tuned = _star.choose_thresholds(self, choose, seconds=left)
        return self.history

    def predict_space(
        self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> np.ndarray:
        """(*space, C) grey values → (*space / grid, K): probability of a nucleus, distances to its
        border in pixels, class probabilities.

        Those of background and of each class come last, where the model tells classes apart.
        """
        scale, plan = (
            self.scale_of(pixels),
            tiling.make_plan(pixels.shape[:-1], self.field, tile=tile),
        )
        return tiling.predict(
            lambda cut: self.forward(scale.apply(cut)),
            pixels,
            plan=plan,
            field=self.field,
            step=self.inner.config.grid,
        )

    def decode_maps(self, maps: np.ndarray, image: Image, **choices) -> Prediction:
        """As every method's; where the grid does not divide the image, what lies beyond its end is
        cut off.
        """
        space = tuple(image.size(axis) for axis in self.domain.axes)
        fits = maps.shape[-1 - len(space) : -1] == tuple(
            -(-n // g) for n, g in zip(space, self.inner.config.grid, strict=True)
        )
        return super().decode_maps(maps, image, **choices, space=space if fits else None)

    def decode(
        self,
        maps: np.ndarray,
        *,
        threshold: float,
        nms: float,
        space: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        """(*space / grid, K) → (*space) int32 labels: the most probable shapes that do not cover
        each other.

        space : shape of the labels; the grid's own where it is not given.
        """
        space = space or tuple(
            n * g for n, g in zip(maps.shape[:-1], self.inner.config.grid, strict=True)
        )
        shapes = maps[..., : 1 + self.inner.config.n_rays]
        return remove_small_objects(
            _star.draw_shapes(shapes, self.inner.config, space=space, threshold=threshold, nms=nms),
            1,
        )

    def class_channels(self) -> tuple[int, int] | None:
        first = (
            2 + self.inner.config.n_rays
        )  # behind probability, rays and the class of the background
        return (first, first + len(self.domain.classes)) if self.domain.classes else None

    def tunable(self) -> dict:
        return {"threshold": 0.5, "nms": 0.4}

    def draw_oracle(self, label: Image) -> Image:
        """Each nucleus as the star that has the rays of these settings: what a perfect network
        would find, and none can better.

        Where an image knows no spacing, the rays are stretched as its nuclei are.
        """
        plain = label.to(label.spatial)
        pixels, twin = (
            np.maximum(plain.pixels, 0).astype(np.int32),
            type(self)(self.settings, grid=1),
        )
        twin.domain = Domain.of(plain)
        twin.anisotropy = _star.measure_anisotropy([pixels]) if pixels.ndim == 3 else None
        return plain.replace(
            pixels=remove_small_objects(_star.draw_stars(pixels, twin._describe_network()), 1)
        )

    # --- training

    def _describe_network(self) -> dict:
        """Arguments of the package's configuration, from settings and pixel size."""
        settings, ndim = self.settings, self.domain.ndim
        spacing = self.domain.spacing or self.anisotropy or (1.0,) * ndim
        anisotropy = tuple(s / min(spacing) for s in spacing)
        grid = tuple(
            (settings.grid or GRID[settings.preset]) if a <= COARSE else 1 for a in anisotropy
        )
        unit = [
            g * 2 ** PRESETS[settings.preset].get("unet_n_depth", {2: 3, 3: 2}[ndim]) for g in grid
        ]
        size = (settings.patch_depth, *(self.chosen("patch_size"),) * 2)[-ndim:]
        # one volume a batch: for several the package reuses its arrays, and a batch made ahead
        # would overwrite the one in use
        about = {
            **PRESETS[settings.preset],
            "axes": self.domain.axes,
            "n_channel_in": self.domain.channels,
            "grid": grid,
            "n_rays": settings.rays or RAYS[ndim],
            "train_patch_size": tuple(-(-s // u) * u for s, u in zip(size, unit, strict=True)),
            "train_batch_size": settings.batch_size if ndim == 2 else 1,
            "train_n_val_patches": VAL_PATCHES,
            "train_tensorboard": False,
            "train_reduce_lr": None,
            "n_classes": len(self.domain.classes) or None,
        }
        if ndim == 2:
            return about
        return about | (LIGHT_3D if settings.preset == "small" else {}) | {"anisotropy": anisotropy}

    def _share_out(
        self, train: DataSet, val: DataSet | None, *, seed: int
    ) -> tuple[list[Example], list[Example]]:
        """Images to learn from and to choose by; without the latter a seeded share, or the only
        image, serves for both.
        """
        if not val and len(set(train.groups())) > 1:
            train, val = train.split(val=VAL_SHARE, seed=seed)
        order = np.random.default_rng(seed).permutation(
            len(val or train)
        )  # thresholds are chosen on the first ones
        return [self._prepare(s) for s in train], [
            self._prepare((val or train)[int(i)]) for i in order
        ]

    def _train(
        self, learn: list[Example], choose: list[Example], *, follow: FollowPlan, seed: int
    ) -> None:
        recipe, rng = (
            augment.keep_grid(augment.POLICIES[self.settings.augmentation]),
            np.random.default_rng([seed, follow.done]),
        )

        def vary(image: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            frame = augment.draw_transform(
                rng, recipe, points=None, shape=label.shape, size=label.shape
            )
            image = augment.vary_grey(rng, augment.cut(image, frame, order=1), recipe=recipe)
            return image, augment.cut(label, frame, order=0)

        size = self.inner.config.train_patch_size
        images, labels = zip(*(_star.pad(e, size) for e in learn), strict=True)
        held_back = tuple(
            list(part) for part in zip(*(_star.pad(e, size) for e in choose), strict=True)
        )
        about = {
            "seed": seed,
            "epochs": follow.epochs,
            "steps_per_epoch": self.settings.steps_per_epoch,
        }
        if self.domain.classes:
            about["classes"], held_back = (
                _star.list_classes(learn),
                (*held_back, _star.list_classes(choose)),
            )
        self.inner.prepare_for_training(
            keras.optimizers.Adam(self.settings.learning_rate, clipnorm=1.0)
        )
        self.inner.callbacks.append(follow)
        if follow.epochs:
            self.inner.train(
                list(images), list(labels), validation_data=held_back, augmenter=vary, **about
            )

    def _resume(self, plan: TrainingPlan) -> int:
        """Epochs of the run whose weights were taken up again; 0 where there is none."""
        folder = Path(plan.folder or ".") / "checkpoint"
        if not (plan.resume and (folder / "state.json").is_file()):
            return 0
        training.read_weights(self.inner.keras_model, folder)
        return int(json.loads((folder / "state.json").read_text("utf-8"))["epoch"])

    def _in_our_order(self, spare: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
        """Weights in the order of the package's network → in the order of ours."""
        place = {id(v): i for i, v in enumerate(self.inner.keras_model.weights)}
        return {
            name: [arrays[place[id(v)]] for v in self.model.weights]
            for name, arrays in spare.items()
        }

    # --- on disk

    def extra(self) -> dict:
        return super().extra() | {"network": _star.describe_config(self.inner.config)}

    def load_weights(self, folder: Path) -> None:
        about = json.loads((folder / "model.json").read_text("utf-8"))
        self._use(self._adopt(_star.make_inner(about["network"])))
        training.read_weights(self.model, folder)

    @classmethod
    def import_folder(cls, folder: str | Path) -> StarDist:
        """A model that the stardist package itself wrote: a folder with config.json,
        weights_best.h5 and thresholds.json.

        Raises
        ------
        UserError : the folder is no such model.
        """
        inner = _star.open_inner(Path(folder))
        method = cls(
            preset="paper",
            rays=inner.config.n_rays,
            patch_size=-(-inner.config.train_patch_size[-1] // 16) * 16,
        )
        classes = tuple(
            f"class {i + 1}" for i in range(inner.config.n_classes or 0)
        )  # the package does not keep their names
        method.domain = Domain(inner.config.n_dim, inner.config.n_channel_in, classes=classes)
        method._use(method._adopt(inner))
        method.tuned = {"threshold": inner.thresholds.prob, "nms": inner.thresholds.nms}
        return method

    def _adopt(self, inner: object) -> keras.Model:
        """Take a model of the package as `.inner`; returns its network with all answers in one
        array.
        """
        self.inner = inner
        network = inner.keras_model
        return keras.Model(
            network.inputs[0],
            keras.layers.Concatenate(name="maps")(network.outputs),
            name="stardist",
        )
