"""A random forest on measurements of each image or nucleus: the baseline of classification.

Brightness, area, gradients, texture, spread and, where the nucleus is outlined, shape and
chromocentres (`measure.appearance`), all by name, and a forest on them (Breiman 2001,
doi:10.1023/A:1010933404324). With some hundred cells it is hard to beat: Blasi et al. 2016
(doi:10.1038/ncomms10256) told phases of the cell cycle apart by such features, before networks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np

from nbtools import normalize
from nbtools.config import Settings, setting
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.measure.appearance import MASK, describe_appearance
from nbtools.methods.decision_trees import Trees, grow
from nbtools.methods.image_classes import SAID, ImageClasses, balance_setting, scaling_setting
from nbtools.methods.persistence import read_about
from nbtools.targets.image_class import ImageClassTarget

if TYPE_CHECKING:
    from nbtools.training.settings import History, TrainingPlan

REMEMBERED = 20_000  # images
MEASURED: dict[tuple, dict[str, float]] = {}


@dataclass(frozen=True)
class FeatureForestSettings(Settings, parameters=ImageClassTarget.parameters):
    trees: int = setting(
        400, min=1, max=5000, help="Decision trees; more are slower and a little steadier."
    )
    leaf: int = setting(
        1,
        unit="images",
        min=1,
        max=1000,
        level="advanced",
        help="Images that a tree leaves together; more are smoother.",
    )
    balance: str = balance_setting("weights", "none")
    scaling: str = scaling_setting()


@final
class FeatureForest(ImageClasses):
    """Random forest on measurements."""

    Settings = FeatureForestSettings
    trees: Trees | None = None
    features: tuple[str, ...] = ()  # names of the measurements, in their order

    def learn(
        self, train: DataSet, val: DataSet | None, *, plan: TrainingPlan, history: History
    ) -> History:
        """Measure every image, and grow the forest; the seed is that of the plan."""
        plan.tell("on_note", SAID[self.settings.scaling])
        table = [self.describe(self.read(sample)) for sample in train]
        self.features = tuple(sorted(set().union(*table)))
        about = {"trees": self.settings.trees, "leaf": self.settings.leaf}
        about["balanced"] = self.settings.balance == "weights"
        rows = np.stack([self._order(row) for row in table])
        self.trees = grow(rows, self.list_numbers(train), **about, seed=plan.seed)
        history.parameters = len(self.trees.left)
        history.best = self.calibrate(val)
        return history

    def describe(self, pixels: np.ndarray) -> dict[str, float]:
        """(*space, C) grey values → name and value of every measurement.

        An image that was measured before, as in cross-validation, is not measured again.

        Parameters
        ----------
        pixels : of an image, or of the crop of a nucleus.
        """
        about = (self.settings.scaling, replace(self.domain, grey={}, classes=()))
        digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
        key = digest, pixels.shape, str(pixels.dtype), str(about)
        if key not in MEASURED:
            if len(MEASURED) >= REMEMBERED:
                MEASURED.clear()
            MEASURED[key] = self._measure(pixels)
        return MEASURED[key]

    def _measure(self, pixels: np.ndarray) -> dict[str, float]:
        domain = self.domain
        names = domain.channel_names if len(domain.channel_names) == pixels.shape[-1] else ()
        scaled = pixels
        if self.settings.scaling == "image":
            scaled = normalize.by_percentiles(pixels).apply(pixels)
            if MASK in names:  # is no grey value
                scaled[..., names.index(MASK)] = pixels[..., names.index(MASK)]
        about = {"channels": names, "spacing": domain.spacing, "unit": domain.unit}
        return describe_appearance(Image(scaled, domain.axes + "C", **about))

    def infer(self, pixels: np.ndarray, *, tile: tuple[int, ...] | None = None) -> np.ndarray:
        """(*space, C) grey values → (K,) probability of each class; tiles do not count."""
        if self.trees is None:
            raise UserError(
                "A forest must learn before it predicts.",
                "a forest that has learned from no images",
                "Call fit, or load a trained forest.",
            )
        return self.trees.ask(self._order(self.describe(pixels))[:, None])[0]

    def rank_features(self) -> dict[str, int]:
        """Name of each measurement → number of nodes that ask for it, most asked first."""
        asked = np.bincount(self.trees.feature[self.trees.left >= 0], minlength=len(self.features))
        order = np.argsort(-asked, kind="stable")
        return {self.features[i]: int(asked[i]) for i in order}

    def _order(self, row: dict[str, float]) -> np.ndarray:
        return np.array([row.get(name, 0.0) for name in self.features], np.float32)

    # --- on disk

    def describe_model(self) -> dict:
        """Names of the measurements, and how grey values are scaled."""
        how = {"set": "none: grey values as they are", "image": normalize.PERCENTILES.words}
        told = {"normalisation": how[self.settings.scaling], "features": list(self.features)}
        return told | self.describe_crops()

    def save_weights(self, folder: Path) -> None:
        """Write the trees of a trained forest."""
        if self.trees is not None:
            self.trees.save(folder)

    def load_weights(self, folder: Path) -> None:
        """Read the trees from the folder of a model."""
        told = read_about(folder).get("features", [])
        self.features = tuple(map(str, told))
        about = {"features": len(self.features), "classes": len(self.domain.classes)}
        self.trees = Trees.load(folder, **about)
