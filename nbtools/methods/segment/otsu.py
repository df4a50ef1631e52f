"""The classical baseline: Otsu's threshold made local, then a watershed on the distance to it.

Otsu 1979, doi:10.1109/TSMC.1979.4310076; made local as in `local_threshold`; watershed on distances
as in Malpica et al. 1997, Cytometry 28, 289–297. Faults are mended first, and fading with depth
is made even (`normalize.prepare`). An image whose grey values are of one group only has no nuclei
(`populations`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, final

import numpy as np
from scipy import ndimage

from nbtools import runtime, tasks
from nbtools.config import Settings, setting
from nbtools.data import DataSet
from nbtools.geometry import equivalent_diameters
from nbtools.image import Image
from nbtools.inference.blocks import BlockNeeds, Work
from nbtools.io.stored import is_stored
from nbtools.methods.large_threshold import (
    GreySource,
    ThresholdWork,
    forecast_needs,
    survey_threshold,
)
from nbtools.methods.local_threshold import find_field, subtract_threshold
from nbtools.methods.untrained import Untrained
from nbtools.normalize.prepare import prepare_channels
from nbtools.normalize.survey import find_box, survey_channel
from nbtools.targets.waists import OtsuTarget

if TYPE_CHECKING:
    from nbtools.training.settings import History, TrainingPlan

FIT_IMAGES = 24
SMOOTHINGS = (0.5, 1.0, 2.0)  # px, tried on the training images


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
        help="How deep a waist must be to split two nuclei; with more, fewer are split.",
    )
    min_size: int = setting(20, unit="px", min=0, max=10**6, help="Smaller objects are removed.")


@final
class Otsu(Untrained):
    """Otsu threshold and distance watershed."""

    Settings, Target = OtsuSettings, OtsuTarget
    bytes_per_pixel = 56.0  # some 40 were measured at 9 megapixels; and room

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Choose the three settings on training images that have labels; nothing else is trained.

        Parameters
        ----------
        train : images.
        val : is not used.
        plan : its seed chooses the images.
        history : gets the mean AP of the choice as `best["train_mean_ap"]`.
        """
        if train.has("labels"):
            history.best = {"train_mean_ap": self._choose(train, seed=plan.seed)}
        return history

    def target_fields(self) -> dict:
        return {} if self.domain.ndim == 3 else {"spacing": None}

    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> np.ndarray:
        """Subtract its threshold from each place of an image, which is looked at as a whole.

        Parameters
        ----------
        pixels : (*space, 1) grey values.
        tile : None; there are none.

        Returns
        -------
        (*space, 1) float32 grey values above the threshold of their place; none where the image
        shows no two groups of grey values.
        """
        inside = find_field(pixels[..., 0])
        prepared, _ = prepare_channels(pixels[inside][..., :1])
        smooth = ndimage.gaussian_filter(
            prepared[..., 0].astype(np.float32), self.settings.smoothing
        )
        height = np.zeros(pixels.shape[:-1], np.float32)
        height[inside] = subtract_threshold(smooth, spacing=self.target().relative_spacing)
        return height[..., None]

    def works_in_blocks(self, image: Image) -> bool:
        """All but movies: the threshold is decided once for the whole image."""
        return "T" not in image.axes

    def block_needs(self, image: Image) -> BlockNeeds | None:
        """Of volumes, as their middle tells; of planes, blocks always fit."""
        if self.domain.ndim < 3 or not is_stored(image.pixels):
            return None
        pixels, free = image.select(C=0).to(self.domain.axes).pixels, runtime.memory().available
        about = {"smoothing": self.settings.smoothing, "spacing": self.target().relative_spacing}
        return forecast_needs(pixels, free=float(free), **about)

    def open_blocks(self, image: Image) -> Work:
        """Threshold and watershed of each block."""
        pixels = image.select(C=0).to(self.domain.axes).pixels
        box = find_box(pixels)
        inner, target = pixels.view(box), self.target()
        mended = survey_channel(inner)
        source = GreySource(partial(mended.read, inner), inner.shape, (self.settings.smoothing,))
        free = float(runtime.memory().available)
        survey = survey_threshold(source, spacing=target.relative_spacing, free=free)
        values = {name: self.decoding_values()[name] for name in target.defaults()}
        decide = partial(target.find_labels, **values)
        return ThresholdWork(survey, box, decide, int(values["min_size"]), free)

    def _choose(self, train: DataSet, seed: int) -> float:
        """Take the settings of the highest mean AP; returns that."""
        search = runtime.load_quietly("nbtools.training.threshold_search")
        order = np.random.default_rng(seed).permutation(len(train))
        labelled = (s for s in (train[int(i)] for i in order) if s.label is not None)
        samples = list(islice(labelled, FIT_IMAGES))
        labels = [s.label.to(self.domain.axes).pixels for s in samples]
        self.note_nucleus_size([equivalent_diameters(label) for label in labels])
        images = [self.check_image(s.image).to(self.domain.axes + "C").pixels for s in samples]
        target, best = self.target(), None
        for smoothing in SMOOTHINGS:
            self.settings = self.settings.replace(smoothing=smoothing)
            pairs = list(zip(labels, map(self.infer, images), strict=True))

            def score(values: dict, pairs: list = pairs) -> float:
                return tasks.INSTANCES.tuning_score(
                    [(t, target.find_labels(m, **values)) for t, m in pairs]
                )

            about = {"score": score, "seconds": 40}
            values, top = search.coordinate_search(
                self.decoding_values(), target.candidates(), **about
            )
            if best is None or top > best[0]:
                best = (top, {"smoothing": smoothing, **values})
        self.settings = self.settings.replace(**best[1])
        return best[0]
