"""The classical baseline: Otsu threshold, then a watershed on the distance to the background parts
touching nuclei.

Otsu 1979, doi:10.1109/TSMC.1979.4310076; watershed on distances as in Malpica et al. 1997,
Cytometry 28, 289–297.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, final

import numpy as np
from scipy import ndimage

from nbtools import runtime
from nbtools.config import Settings, setting
from nbtools.data import DataSet
from nbtools.image import Image
from nbtools.methods import _tune
from nbtools.methods.base import Domain, Method, measure_diameters
from nbtools.targets import distance
from nbtools.targets.semantic import remove_small_objects

if TYPE_CHECKING:
    from nbtools.training import History, TrainingPlan

FIT_IMAGES = 24


@dataclass(frozen=True)
class OtsuSettings(Settings):
    smoothing: float = setting(
        1.0, unit="px", min=0.0, max=20.0, help="Blur before the threshold, against noise."
    )
    split: float = setting(
        1.0,
        unit="px",
        min=0.1,
        max=50.0,
        help="How deep a waist must be to part two nuclei; more parts less.",
    )
    min_size: int = setting(20, unit="px", min=0, max=10**6, help="Smaller objects are dropped.")


@final
class Otsu(Method):
    Settings = OtsuSettings
    taken: Domain | None = None  # from the image at hand, by a method that was not trained

    def fit(
        self, train: DataSet, val: DataSet | None = None, *, plan: TrainingPlan | None = None
    ) -> History:
        """Nothing needs to be learned; with labels at hand, the three settings are chosen on some
        of the training images.
        """
        learning = runtime.load_quietly(
            "nbtools.training"
        )  # loads Keras, which a prediction does without

        started = time.monotonic()
        self.start_fit(train, None)
        history = learning.History(stopped="epochs")
        if train.has("labels"):
            history.best = {"train_mean_ap": self._choose(train, seed=plan.seed if plan else 0)}
        history.seconds = time.monotonic() - started
        return history

    def check_image(self, image: Image) -> Image:
        """Where no training has said otherwise, planes and volumes of any pixel size will do."""
        if self.domain in (Domain(), self.taken):
            self.taken = self.domain = Domain.of(image.select(T=0, C=0))
        return super().check_image(image)

    def predict_space(
        self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None
    ) -> np.ndarray:
        """(*space, 1) grey values, smoothed; the whole image at once, since Otsu's threshold looks
        at all of it.
        """
        sigma = self.settings.smoothing
        return ndimage.gaussian_filter(pixels[..., 0].astype(np.float32), sigma)[..., None]

    def decode(self, maps: np.ndarray, *, split: float, min_size: int) -> np.ndarray:
        from skimage.filters import threshold_otsu

        grey = maps[..., 0]
        if grey.min() == grey.max():
            return np.zeros(grey.shape, np.int32)
        spacing = (
            (self.domain.spacing and np.array(self.domain.spacing) / min(self.domain.spacing))
            if self.domain.ndim == 3
            else None
        )
        return remove_small_objects(
            distance.split_touching_objects(
                grey > threshold_otsu(grey), split=split, spacing=spacing
            ),
            min_size,
        )

    def tunable(self) -> dict:
        return {"split": self.settings.split, "min_size": self.settings.min_size}

    def choices(self) -> dict:
        return {**self.tunable(), **self.tuned}

    def _choose(self, train: DataSet, seed: int) -> float:
        order = np.random.default_rng(seed).permutation(len(train))
        samples = list(
            islice((s for s in (train[int(i)] for i in order) if s.label is not None), FIT_IMAGES)
        )
        labels = [s.label.to(self.domain.axes).pixels for s in samples]
        self.note_nucleus_size([measure_diameters(label) for label in labels])
        best = None
        for smoothing in (0.5, 1.0, 2.0):
            self.settings = self.settings.replace(smoothing=smoothing)
            maps = [
                self.predict_space(self.check_image(s.image).to(self.domain.axes + "C").pixels)
                for s in samples
            ]
            score = lambda v, maps=maps: _tune.mean_ap(
                [(t, self.decode(m, **v)) for t, m in zip(labels, maps, strict=True)]
            )
            found = _tune.climb(
                self.choices(),
                {"split": (0.5, 1.0, 2.0, 4.0), "min_size": (0, 20, 40, 80)},
                score=score,
                seconds=40,
            )
            best = (
                max(best, (found[1], smoothing, found[0]), key=lambda b: b[0])
                if best
                else (found[1], smoothing, found[0])
            )
        self.settings = self.settings.replace(smoothing=best[1], **best[2])
        return best[0]
