"""A random forest that tells nucleus from background pixel by pixel; it learns from a few
scribbles, in seconds.

As ilastik and Weka do it (Berg et al. 2019, doi:10.1038/s41592-019-0582-9; forests: Breiman 2001,
doi:10.1023/A:1010933404324). A label image of scribbles holds -1 where nothing was drawn, 0 on
background and 1 or more on nuclei; complete labels serve as well. Which nucleus a pixel belongs to
is not learned: touching nuclei are parted afterwards, at their waists.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from scipy import ndimage

from nbtools import normalize, runtime
from nbtools.config import Settings, setting
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import _tune
from nbtools.methods._features import compute_features, find_reach
from nbtools.methods._trees import Trees, grow
from nbtools.methods.base import Method, measure_diameters
from nbtools.targets.distance import split_touching_objects
from nbtools.targets.semantic import remove_small_objects

if TYPE_CHECKING:
    from nbtools import tiling
    from nbtools.training import History, TrainingPlan

SCALES = (0.7, 1.0, 1.6, 3.5, 5.0, 10.0)  # of ilastik
WHOLE = 2_000_000  # pixels that are always looked at in one piece: about 0.7 GB
COPIES = 2.5  # arrays alive for each feature while features are computed


@dataclass(frozen=True)
class ForestSettings(Settings):
    scales: tuple[float, ...] = setting(
        SCALES,
        unit="px",
        min=0.3,
        max=50.0,
        level="advanced",
        help="Blurs at which each pixel's surroundings are looked at.",
    )
    trees: int = setting(
        60, min=1, max=1000, help="Decision trees; more are slower and a little steadier."
    )
    leaf: int = setting(
        2,
        unit="px",
        min=1,
        max=1000,
        level="advanced",
        help="Pixels that a tree leaves together; more are smoother.",
    )
    pixels: int = setting(
        40_000,
        unit="px",
        min=100,
        max=10**7,
        help="Labelled pixels learned from, at most; drawn at random.",
    )
    smoothing: float = setting(
        1.0, unit="px", min=0.0, max=20.0, level="advanced", help="Blur of the probabilities."
    )
    threshold: float | None = setting(
        None,
        min=0.01,
        max=0.99,
        help=(
            "Probability of a nucleus; 0.6, or chosen on completely labelled validation images, "
            "if empty."
        ),
    )
    split: float | None = setting(
        None,
        unit="px",
        min=0.1,
        max=50.0,
        help="How deep a waist must be to part two nuclei; chosen as the threshold if empty.",
    )
    min_size: int | None = setting(
        None,
        unit="px",
        min=0,
        max=10**6,
        help="Smaller objects are dropped; chosen as the threshold if empty.",
    )


@final
class Forest(Method):
    Settings = ForestSettings
    trees: Trees | None = None

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        """Learn from scribbles or labels; the pixels learned from are drawn by the plan's seed."""
        learning = runtime.load_quietly("nbtools.training")  # loads Keras

        started, seed = time.monotonic(), plan.seed if plan else 0
        self.start_fit(train, "labels")
        features, nucleus, sizes = self._gather(train, seed=seed)
        self.note_nucleus_size(sizes)
        about = {"trees": self.settings.trees, "leaf": self.settings.leaf, "balanced": [] in sizes}
        self.trees = grow(features, nucleus, **about, seed=seed)
        self.history = learning.History(stopped="epochs", parameters=len(self.trees.left))
        if found := self._choose(val, seconds=min(60.0, plan.seconds_left() / 2) if plan else 60.0):
            self.tuned, self.history.best = found[0], {"val_mean_ap": found[1]}
        self.history.seconds = time.monotonic() - started
        return self.history

    def predict_space(
        self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> np.ndarray:
        """(*space, C) grey values → (*space, 1) probability of a nucleus."""
        if self.trees is None:
            remedy = (
                "Draw some strokes on nuclei and on background, then call fit; or load a trained "
                "forest."
            )
            raise UserError(
                "A forest must learn before it predicts.",
                "a forest that has seen no scribbles",
                remedy,
            )
        scale = normalize.by_percentiles(pixels)
        small = tile is None and np.prod(pixels.shape[:-1]) <= WHOLE
        maps = (
            self._ask(scale.apply(pixels))
            if small
            else self._ask_in_tiles(pixels, scale, tile=tile)
        )
        sigma = [self.settings.smoothing / s for s in self._relative()]
        return ndimage.gaussian_filter(maps[..., 0], sigma)[..., None]

    def decode(
        self, maps: np.ndarray, *, threshold: float, split: float, min_size: int
    ) -> np.ndarray:
        return remove_small_objects(
            split_touching_objects(maps[..., 0] > threshold, split=split, spacing=self._relative()),
            min_size,
        )

    def tunable(self) -> dict:
        return {
            "threshold": 0.6,
            "split": 1.0,
            "min_size": 20,
        }  # 0.5 draws too large: strokes avoid the blurred rims of nuclei

    def save_weights(self, folder: Path) -> None:
        if self.trees is not None:
            self.trees.save(folder)

    def load_weights(self, folder: Path) -> None:
        self.trees = Trees.load(folder, features=self._count_features())

    # --- what pixels look like

    def _gather(
        self, train: DataSet, *, seed: int
    ) -> tuple[np.ndarray, np.ndarray, list[list[float]]]:
        """(n, F) features and (n,) "is nucleus" of labelled pixels, from every image as many; and
        diameters where labels are complete.
        """
        features, nucleus, sizes = [], [], []
        quota = max(1, self.settings.pixels // max(1, len(train)))
        for i, sample in enumerate(train):
            if sample.label is None:
                continue
            image, label = self._align(sample.image), sample.label.to(self.domain.axes).pixels
            known = np.flatnonzero(label >= 0)
            if len(known) > quota:
                known = np.sort(
                    np.random.default_rng([seed, i]).choice(known, quota, replace=False)
                )
            features.append(self._look_at(image, known))
            nucleus.append(label.ravel()[known] > 0)
            sizes.append([] if (label < 0).any() else measure_diameters(label))
        return np.concatenate(features), _check_both(np.concatenate(nucleus)), sizes

    def _align(self, image: Image) -> np.ndarray:
        """(*space, C) grey values in the order of the training images."""
        return self.check_image(image.select(T=0)).to(self.domain.axes + "C").pixels

    def _look_at(self, pixels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """(n, F) features of chosen pixels (flat indices, sorted); tiles without any are left
        out.
        """
        from nbtools import tiling

        scale, field = normalize.by_percentiles(pixels), self._field()
        places = np.stack(np.unravel_index(chosen, pixels.shape[:-1]))
        found = np.zeros((len(chosen), self._count_features()), np.float32)
        for windows in tiling.make_plan(pixels.shape[:-1], field).tiles:
            low, high = (np.array([[getattr(w, end)] for w in windows]) for end in ("low", "high"))
            inside = ((places >= low) & (places < high)).all(axis=0)
            if inside.any():
                start = np.array([w.start for w in windows])
                stop = np.minimum(high[:, 0] + field.radius, pixels.shape[:-1])
                features = self._describe(scale.apply(pixels[tuple(map(slice, start, stop))]))
                found[inside] = features[(slice(None), *(places[:, inside] - start[:, None]))].T
        return found

    def _ask_in_tiles(
        self, pixels: np.ndarray, scale: normalize.Scale, *, tile: tuple[int, ...] | None
    ) -> np.ndarray:
        from nbtools import tiling  # loads Keras

        field = self._field()
        plan = tiling.make_plan(pixels.shape[:-1], field, tile=tile)
        return tiling.predict(
            lambda cut: self._ask(scale.apply(cut)), pixels, plan=plan, field=field
        )

    def _ask(self, pixels: np.ndarray) -> np.ndarray:
        features = self._describe(pixels)
        return self.trees.ask(features.reshape(len(features), -1)).reshape(*pixels.shape[:-1], 1)

    def _describe(self, pixels: np.ndarray) -> np.ndarray:
        return compute_features(pixels, self.settings.scales, spacing=self._relative())

    def _relative(self) -> tuple[float, ...]:
        spacing = self.domain.spacing or (1.0,) * self.domain.ndim
        return tuple(s / min(spacing) for s in spacing)

    def _count_features(self) -> int:
        scales = len(self.settings.scales)
        return self.domain.channels * ((3 + self.domain.ndim) * scales + scales - 1)

    def _field(self) -> tiling.Field:
        from nbtools import tiling

        ndim = self.domain.ndim
        return tiling.Field(
            find_reach(self.settings.scales, self._relative()),
            (1,) * ndim,
            COPIES * self._count_features(),
        )

    def _choose(self, val: DataSet | None, *, seconds: float) -> tuple[dict, float] | None:
        """Decoding values that suit the completely labelled of the validation images, and their
        score; None without any.
        """
        shapes = [val.image(i).space_shape for i in range(len(val))] if val else []
        pieces = [(val[i], where) for i, where in _tune.choose_pieces(shapes, seed=0)]
        pairs = []
        for sample, where in pieces:
            if (
                sample.label is not None
                and (label := sample.label.to(self.domain.axes).pixels).min() >= 0
            ):
                pairs.append((label[where], self.predict_space(self._align(sample.image))[where]))
        if not any(label.any() for label, _ in pairs):
            return None
        options = {
            "threshold": (0.3, 0.4, 0.5, 0.6, 0.7),
            "split": (0.5, 1.0, 2.0, 4.0),
            "min_size": (0, 20, 40, 80),
        }
        score = lambda values: _tune.mean_ap(
            [(label, self.decode(maps, **values)) for label, maps in pairs]
        )
        return _tune.climb(self.tunable(), options, score=score, seconds=seconds)


def _check_both(nucleus: np.ndarray) -> np.ndarray:
    """UserError where only one kind of pixel was drawn."""
    if nucleus.all() or not nucleus.any():
        received = (
            "nothing labelled"
            if not len(nucleus)
            else "strokes on nuclei only"
            if nucleus.all()
            else "strokes on background only"
        )
        remedy = (
            "Draw on a few nuclei with 1 or more and on the background with 0; -1 stands where "
            "nothing is drawn."
        )
        raise UserError("A forest learns from both nuclei and background.", received, remedy)
    return nucleus
