"""A random forest that tells nucleus from background pixel by pixel, from a few scribbles.

As ilastik and Weka do it (Berg et al. 2019, doi:10.1038/s41592-019-0582-9; forests: Breiman 2001,
doi:10.1023/A:1010933404324). A label image of scribbles holds -1 where nothing was drawn, 0 on
background and 1 or more on nuclei; complete labels serve as well. Which nucleus a pixel belongs to
is not learned: touching nuclei are parted afterwards, at their waists.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from scipy import ndimage

from nbtools import normalize, runtime, tasks
from nbtools.config import Settings, setting
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.geometry import equivalent_diameters
from nbtools.image import Image
from nbtools.inference import ReceptiveField, Tiled, plan_tiles
from nbtools.methods.decision_trees import Trees, grow
from nbtools.methods.method import Method
from nbtools.methods.pixel_features import compute_features, find_reach
from nbtools.targets.waists import WaistTarget

if TYPE_CHECKING:
    from nbtools.training.settings import History, TrainingPlan

SCALES = (0.7, 1.0, 1.6, 3.5, 5.0, 10.0)  # of ilastik
WHOLE = 2_000_000  # pixels that are always looked at in one piece: about 0.7 GB
COPIES = 2.5  # arrays alive for each feature while features are computed


@dataclass(frozen=True)
class ForestSettings(Settings, parameters=WaistTarget.parameters):
    scales: tuple[float, ...] = setting(
        SCALES,
        unit="px",
        min=0.3,
        max=50.0,
        level="advanced",
        help="Blurs at which the surroundings of each pixel are described.",
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
        1.0,
        unit="px",
        min=0.0,
        max=20.0,
        level="advanced",
        help="Blur of the probabilities.",
    )


@final
class Forest(Method):
    """Random forest on pixels, from scribbles."""

    Settings, Target = ForestSettings, WaistTarget
    bytes_per_pixel = 60.0  # scaled image, maps, and what the watershed takes; tiles are small
    needs = ("labels",)
    trees: Trees | None = None

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Learn from scribbles or labels; the pixels learned from are drawn by the plan's seed."""
        features, nucleus, sizes = self._gather(train, seed=plan.seed)
        self.note_nucleus_size(sizes)
        scribbles = any(not len(one) for one in sizes)
        about = {"trees": self.settings.trees, "leaf": self.settings.leaf, "balanced": scribbles}
        self.trees = grow(features, nucleus, **about, seed=plan.seed)
        history.parameters = len(self.trees.left)
        seconds = 60.0 if plan.minutes is None else min(60.0, plan.seconds_left() / 2)
        if found := self._choose(val, seconds=seconds):
            self.tuned, history.best = found[0], {"val_mean_ap": found[1]}
        return history

    def target_fields(self) -> dict:
        return {"spacing": self._spacing()}

    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> np.ndarray:
        """(*space, C) grey values → (*space, 1) probability of a nucleus."""
        if self.trees is None:
            remedy = (
                "Draw some strokes on nuclei and on background, then call fit; or load a trained "
                "forest."
            )
            raise UserError(
                "A forest must learn before it predicts.",
                "a forest that has learned from no scribbles",
                remedy,
            )
        scale = normalize.by_percentiles(pixels)
        if tile is None and np.prod(pixels.shape[:-1]) <= WHOLE:
            maps = self._run(scale.apply(pixels))
        else:
            tiles = Tiled(self._field())
            maps = tiles(lambda cut: self._run(scale.apply(cut)), pixels, tile=tile)
        sigma = [self.settings.smoothing / s for s in self._relative()]
        return ndimage.gaussian_filter(maps[..., 0], sigma)[..., None]

    def save_weights(self, folder: Path) -> None:
        """Write the trees of a trained forest."""
        if self.trees is not None:
            self.trees.save(folder)

    def load_weights(self, folder: Path) -> None:
        """Read the trees from the folder of a model."""
        self.trees = Trees.load(folder, features=self._count_features())

    # --- what pixels look like

    def _gather(
        self, train: DataSet, *, seed: int
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """(n, F) features and (n,) "is nucleus" of labelled pixels, equally many from every image.

        Also diameters, where labels are complete.
        """
        features, nucleus, sizes = [], [], []
        quota = max(1, self.settings.pixels // max(1, len(train)))
        for i, sample in enumerate(train):
            if sample.label is None:
                continue
            image, label = self._align(sample.image), sample.label.to(self.domain.axes).pixels
            known = np.flatnonzero(label >= 0)
            if len(known) > quota:
                rng = np.random.default_rng([seed, i])
                known = np.sort(rng.choice(known, quota, replace=False))
            features.append(self._describe_pixels(image, known))
            nucleus.append(label.ravel()[known] > 0)
            complete = not (label < 0).any()
            sizes.append(equivalent_diameters(label) if complete else np.zeros(0))
        return np.concatenate(features), _check_both(np.concatenate(nucleus)), sizes

    def _align(self, image: Image) -> np.ndarray:
        """(*space, C) grey values in the order of the training images."""
        return self.check_image(image.select(T=0)).to(self.domain.axes + "C").pixels

    def _describe_pixels(self, pixels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """(n, F) features of chosen pixels (flat indices, sorted).

        Tiles without any of them are left out.
        """
        scale, field = normalize.by_percentiles(pixels), self._field()
        places = np.stack(np.unravel_index(chosen, pixels.shape[:-1]))
        found = np.zeros((len(chosen), self._count_features()), np.float32)
        for windows in plan_tiles(pixels.shape[:-1], field).tiles:
            low, high = (np.array([[getattr(w, end)] for w in windows]) for end in ("low", "high"))
            inside = ((places >= low) & (places < high)).all(axis=0)
            if inside.any():
                start = np.array([w.start for w in windows])
                stop = np.minimum(high[:, 0] + field.radius, pixels.shape[:-1])
                features = self._describe(scale.apply(pixels[tuple(map(slice, start, stop))]))
                found[inside] = features[(slice(None), *(places[:, inside] - start[:, None]))].T
        return found

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        features = self._describe(pixels)
        return self.trees.ask(features.reshape(len(features), -1)).reshape(*pixels.shape[:-1], 1)

    def _describe(self, pixels: np.ndarray) -> np.ndarray:
        return compute_features(pixels, self.settings.scales, spacing=self._relative())

    def _spacing(self) -> tuple[float, ...]:
        return self.domain.spacing or (1.0,) * self.domain.ndim

    def _relative(self) -> tuple[float, ...]:
        return tuple(s / min(self._spacing()) for s in self._spacing())

    def _count_features(self) -> int:
        scales = len(self.settings.scales)
        return self.domain.channels * ((3 + self.domain.ndim) * scales + scales - 1)

    def _field(self) -> ReceptiveField:
        reach = find_reach(self.settings.scales, self._relative())
        return ReceptiveField(reach, (1,) * self.domain.ndim, COPIES * self._count_features())

    def _choose(self, val: DataSet | None, *, seconds: float) -> tuple[dict, float] | None:
        """Decoding values that suit the completely labelled validation images, and their score.

        None without any such image.
        """
        search = runtime.load_quietly("nbtools.training.threshold_search")
        shapes = [val.image(i).space_shape for i in range(len(val))] if val else []
        pairs, target = [], self.target()
        for i, where in search.choose_pieces(shapes, seed=0):
            sample = val[i]
            if sample.label is None:
                continue
            label = sample.label.to(self.domain.axes).pixels
            if label.min() >= 0:
                pairs.append((label[where], self.infer(self._align(sample.image))[where]))
        if not any(label.any() for label, _ in pairs):
            return None

        def score(values: dict) -> float:
            return tasks.INSTANCES.tuning_score(
                [(t, target.find_labels(m, **values)) for t, m in pairs]
            )

        about = {"score": score, "seconds": seconds}
        return search.coordinate_search(target.defaults(), target.candidates(), **about)


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
