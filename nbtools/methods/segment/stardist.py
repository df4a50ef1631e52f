"""StarDist: every nucleus as a star-convex polygon or polyhedron.

An adapter to the package of its authors, which runs on TensorFlow.

Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30; in 3D Weigert et al. 2020,
doi:10.1109/WACV45572.2020.9093435. Ours are the patches' variation, schedule, budget, tiles and
files; theirs are network, targets, loss, decoding and, in 2D, the choice of thresholds. Where the
training images say which class a nucleus is of, the package's class head learns them. The package's
own model is `.inner`. A stopped training resumes with its weights; the optimizer starts anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

import keras
import numpy as np

from nbtools import augment, normalize, runtime
from nbtools.config import Settings, setting, vary
from nbtools.data import DataSet
from nbtools.image import Image
from nbtools.inference.base import Maps
from nbtools.methods import stardist_package
from nbtools.methods.domain import Domain
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.package_adapter import FollowPlan, resume_weights, silently
from nbtools.methods.persistence import read_about, require_part
from nbtools.methods.settings import NetworkSettings, preset_setting
from nbtools.methods.stardist_package import StarTarget
from nbtools.patches import Example
from nbtools.results import Labels
from nbtools.targets.objects import remove_small_objects
from nbtools.training import History, TrainingPlan, read_weights

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


# the package varies pixels of images and labels alone: nothing is bent, and nothing pasted
VARIED = tuple(
    name for name, policy in augment.POLICIES.items() if not (policy.elastic or policy.paste)
)


@dataclass(frozen=True)
class StarDistSettings(Settings, parameters=StarTarget.parameters):
    defaults_by_ndim: ClassVar = {"patch_size": {2: 128, 3: 64}}

    preset: str = preset_setting(*PRESETS)
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
        help=(
            "Predict at every n-th pixel along each axis; empty: 1 for paper, else 2. Coarse z is "
            "kept."
        ),
    )
    patch_size: int | None = vary(
        NetworkSettings,
        "patch_size",
        help="Side of a training patch in the plane; empty: 128, in volumes 64.",
    )
    patch_depth: int = vary(NetworkSettings, "patch_depth", default=32)
    augmentation: str = vary(NetworkSettings, "augmentation", choices=VARIED)
    epochs: int = vary(NetworkSettings, "epochs", default=100)
    steps_per_epoch: int = vary(NetworkSettings, "steps_per_epoch", default=50)
    batch_size: int = vary(
        NetworkSettings,
        "batch_size",
        default=4,
        help="Patches per training step; of volumes always one, as the package has it.",
    )
    learning_rate: float = vary(NetworkSettings, "learning_rate", default=1e-3)
    checkpoint: str = vary(NetworkSettings, "checkpoint")


@final
class StarDist(KerasMethod):
    """StarDist: star-convex shapes."""

    Settings, Target = StarDistSettings, StarTarget
    learns_classes = True
    exact_resume, draws_by_share = False, False
    inner = None  # the package's StarDist2D or StarDist3D
    anisotropy: tuple[float, ...] | None = None  # of the labels, for volumes of unknown spacing

    def build(self) -> keras.Model:
        return self._wrap(stardist_package.make_inner(self._describe_network()))

    def loss(self) -> Callable:
        """The package's own."""
        return self.inner.keras_model.loss

    def target_fields(self) -> dict:
        return {} if self.inner is None else {"network": self.inner.config}

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """The package's training, on our schedule and budget; then its choice of thresholds."""
        keras.utils.set_random_seed(plan.seed)
        self.count_objects(train)
        learn, choose = self._divide(train, val, seed=plan.seed)
        self.anisotropy = stardist_package.measure_anisotropy([e.label for e in learn])
        self.adopt(self.build())
        self.prepare_network()
        shorter = replace(plan, minutes=plan.minutes and plan.minutes * (1 - RESERVE))
        done = resume_weights(self.inner.keras_model, plan)
        follow = FollowPlan(self.settings, shorter, done=done)
        with silently():
            self._train(learn, choose, follow=follow, seed=plan.seed)
        self.other_weights = self._in_our_order(follow.other_weights)
        left = None
        if plan.minutes is not None:
            left = plan.minutes * 60 - runtime.process_seconds() - 3
        self.tuned = stardist_package.choose_thresholds(self, choose, seconds=left)
        return follow.result

    def decode_frame(self, maps: Maps, shape: tuple[int, ...], **values: float) -> Labels:
        """Where the grid does not divide the image, what lies beyond its end is cut off."""
        grid = self.inner.config.grid
        fits = maps.shape[:-1] == tuple(-(-n // g) for n, g in zip(shape, grid, strict=True))
        return self.target().decode(maps, **values, space=shape if fits else None)

    def draw_oracle(self, label: Image) -> Image:
        """Draw each nucleus as a star with the rays of these settings: an ideal prediction.

        Parameters
        ----------
        label : label image; where it has no spacing, the rays of a volume are stretched as its
            nuclei are.

        Returns
        -------
        Label image of the stars, numbered 1 … N.
        """
        plain = label.to(label.spatial)
        pixels = np.maximum(plain.pixels, 0).astype(np.int32)
        twin = type(self)(self.settings, grid=1)
        twin.domain = Domain.of(plain)
        if pixels.ndim == 3:
            twin.anisotropy = stardist_package.measure_anisotropy([pixels])
        stars = stardist_package.draw_stars(pixels, twin._describe_network())
        return plain.replace(pixels=remove_small_objects(stars, 1))

    # --- training

    def prepare(self, train: DataSet) -> None:
        """Nothing depends on the images but the network."""

    def _describe_network(self) -> dict:
        """Arguments of the package's configuration, from settings and pixel size."""
        settings, ndim = self.settings, self.domain.ndim
        spacing = self.domain.spacing or self.anisotropy or (1.0,) * ndim
        anisotropy = tuple(s / min(spacing) for s in spacing)
        usual = settings.grid or GRID[settings.preset]
        grid = tuple(usual if a <= COARSE else 1 for a in anisotropy)
        depth = PRESETS[settings.preset].get("unet_n_depth", {2: 3, 3: 2}[ndim])
        unit = [g * 2**depth for g in grid]
        size = (settings.patch_depth, *(self.resolve("patch_size"),) * 2)[-ndim:]
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
        light = LIGHT_3D if settings.preset == "small" else {}
        return about | light | {"anisotropy": anisotropy}

    def _divide(
        self, train: DataSet, val: DataSet | None, *, seed: int
    ) -> tuple[list[Example], list[Example]]:
        """Images to learn from and to choose by.

        Without the latter, a seeded share of the images, or the only image, serves for both.
        """
        if not val and len(set(train.groups())) > 1:
            train, val = train.split(val=VAL_SHARE, seed=seed)
        # thresholds are chosen on the first ones
        order = np.random.default_rng(seed).permutation(len(val or train))
        choose = [self.make_example((val or train)[int(i)]) for i in order]
        return [self.make_example(s) for s in train], choose

    def _train(
        self, learn: list[Example], choose: list[Example], *, follow: FollowPlan, seed: int
    ) -> None:
        rng = np.random.default_rng([seed, follow.done])
        policy = augment.keep_grid(augment.POLICIES[self.settings.augmentation])

        def vary(image: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            shape = label.shape
            transform = augment.draw_transform(rng, policy, points=None, shape=shape, size=shape)
            image = augment.cut(image, transform, order=1)
            image = augment.vary_grey(rng, image, recipe=policy)
            return image, augment.cut(label, transform, order=0)

        size = self.inner.config.train_patch_size
        images, labels = zip(*(stardist_package.pad(e, size) for e in learn), strict=True)
        padded = (stardist_package.pad(e, size) for e in choose)
        held_back = tuple(list(part) for part in zip(*padded, strict=True))
        about = {
            "seed": seed,
            "epochs": follow.epochs,
            "steps_per_epoch": self.settings.steps_per_epoch,
        }
        if self.domain.classes:
            about["classes"] = stardist_package.list_classes(learn)
            held_back = (*held_back, stardist_package.list_classes(choose))
        optimizer = keras.optimizers.Adam(self.settings.learning_rate, clipnorm=1.0)
        self.inner.prepare_for_training(optimizer)
        self.inner.callbacks.append(follow)
        if follow.epochs:
            about |= {"validation_data": held_back, "augmenter": vary}
            self.inner.train(list(images), list(labels), **about)

    def _in_our_order(self, weights: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
        """Weights in the order of the package's network → in the order of ours."""
        place = {id(v): i for i, v in enumerate(self.inner.keras_model.weights)}
        order = [place[id(v)] for v in self.model.weights]
        return {name: [arrays[i] for i in order] for name, arrays in weights.items()}

    # --- on disk

    def describe_model(self) -> dict:
        network = stardist_package.describe_config(self.inner.config)
        return super().describe_model() | {"network": network}

    def load_weights(self, folder: Path) -> None:
        """Build the network of model.json, and read its weights."""
        network = require_part(read_about(folder), "network", folder=folder)
        self.adopt(self._wrap(stardist_package.make_inner(network)))
        read_weights(self.model, folder)

    @classmethod
    def import_folder(cls, folder: str | Path) -> StarDist:
        """Import a model that the stardist package itself wrote.

        Parameters
        ----------
        folder : with config.json, weights_best.h5 and thresholds.json.

        Raises
        ------
        UserError : the folder is no such model.
        """
        inner = stardist_package.open_inner(Path(folder))
        config = inner.config
        side = -(-config.train_patch_size[-1] // 16) * 16
        method = cls(preset="paper", rays=config.n_rays, patch_size=side)
        # the package does not keep the names of classes
        classes = tuple(f"class {i + 1}" for i in range(config.n_classes or 0))
        method.normalization = normalize.PERCENTILES  # that of the package
        method.domain = Domain(config.n_dim, config.n_channel_in, classes=classes)
        method.adopt(method._wrap(inner))
        method.tuned = {"threshold": inner.thresholds.prob, "nms": inner.thresholds.nms}
        return method

    def _wrap(self, inner: object) -> keras.Model:
        """Take a model of the package as `.inner`; return its network with joined outputs."""
        self.inner = inner
        network = inner.keras_model
        maps = keras.layers.Concatenate(name="maps")(network.outputs)
        return keras.Model(network.inputs[0], maps, name="stardist")
