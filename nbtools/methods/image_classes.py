"""What the methods that classify images, or nuclei, share.

A data set of images with a class each is learned from as it is; one of label images with a class
per label is cut into crops first, one per nucleus and all at one physical scale.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import ClassVar

import numpy as np

from nbtools.config import setting
from nbtools.data import DataSet, Sample
from nbtools.data.crops import CropPlan, cut_crops, cut_sample, plan_crops
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods.method import Method, Prediction
from nbtools.metrics.classification import measure_calibration
from nbtools.plausibility import Finding
from nbtools.results import Classes
from nbtools.targets.image_class import ImageClassTarget, find_temperature, temper
from nbtools.tasks import CLASSIFICATION

SCALINGS = ("set", "image")
BALANCES = ("weights", "sampling", "none")
SAID = {
    "set": "Grey values are scaled alike in all images, so that brightness stays a signal (as of "
    "the amount of DNA). Where exposure differs between slides or days, it is one, too: then set "
    "scaling=image.",
    "image": "Grey values are scaled in each image by itself: differences in exposure go, and so "
    "does brightness as a signal (as of the amount of DNA).",
}
FEW = 5  # validation images below which probabilities are left as they are


def scaling_setting() -> object:
    """The setting for how grey values are scaled."""
    return setting(
        "set",
        choices=SCALINGS,
        help="set: one scale for all images, brightness is a signal; image: each by itself.",
    )


def balance_setting(*names: str) -> object:
    """The setting for classes of unequal size."""
    return setting(
        "weights",
        choices=names or BALANCES,
        help="Rare classes: weights count them more, sampling draws them more often.",
    )


class ImageClasses(Method):
    """A method whose result is the class of an image, or of each nucleus of it."""

    Target = ImageClassTarget
    needs: ClassVar[tuple[str, ...]] = ("classes",)
    learns_classes: ClassVar[bool] = True
    crops: CropPlan | None = None  # where it has learned from nuclei with labels

    # --- learning

    def begin_fit(
        self, train: DataSet, val: DataSet | None = None
    ) -> tuple[DataSet, DataSet | None]:
        """Cut nuclei that have a class each into crops, leave out images without a class.

        Parameters
        ----------
        train, val : images with classes, or with labels that have classes.

        Raises
        ------
        UserError : there is no class, or only one.
        """
        if not train.has("classes") and train.has("labels"):
            self.crops = plan_crops(train)
            train, val = cut_crops(train, self.crops), val and cut_crops(val, self.crops)
        if train.has("classes"):
            train, val = choose_known(train), val and choose_known(val)
        if len(train.class_names) == 1:
            raise UserError(
                "A classifier needs two classes or more.",
                f"{train.name or 'a data set'} with {train.class_names[0]} alone",
                "Add images of another class.",
            )
        train, val = super().begin_fit(train, val)
        return train, val and val.subset(
            [i for i, e in enumerate(val.entries) if e.class_name in self.domain.classes]
        )

    def list_numbers(self, dataset: DataSet) -> np.ndarray:
        """(n,) number of the class of each image."""
        return np.array([self.domain.classes.index(e.class_name) for e in dataset.entries], int)

    def calibrate(self, val: DataSet | None) -> dict[str, float]:
        """Choose the temperature on validation images; scores of these.

        Parameters
        ----------
        val : images with classes, none learned from.

        Returns
        -------
        {} without any; else `val_balanced_accuracy`, and `val_ece`, the gap between probability
        and accuracy.
        """
        if val is None or not len(val):
            return {}
        maps = np.stack([self.infer(self.read(sample)) for sample in val])
        truth = self.list_numbers(val)
        if len(truth) >= FEW and self.settings.temperature is None:
            self.tuned = {"temperature": find_temperature(maps, truth)}
        told = temper(maps, self.decoding_values()["temperature"])
        names = np.array(self.domain.classes)
        best = names[told.argmax(axis=1)]
        rows = [
            {"truth": true, "predicted": found, "probability": float(share)}
            for true, found, share in zip(names[truth], best, told.max(axis=1), strict=True)
        ]
        score = CLASSIFICATION.tuning_score(_pair(names[truth], told, names=self.domain.classes))
        return {"val_balanced_accuracy": score, "val_ece": measure_calibration(rows)["ece"]}

    def read(self, sample: Sample) -> np.ndarray:
        """(*space, C) grey values of a sample, with the channels of the model."""
        image = self.check_image(sample.image.select(T=0))
        return image.to(self.domain.axes + "C").pixels

    # --- predicting

    @property
    def looks_at_nuclei(self) -> bool:
        """Whether it has learned from nuclei with labels, and predicts such."""
        return self.crops is not None

    def predict_nuclei(self, image: Image, label: Image | None) -> Prediction:
        """The class of each nucleus of a label image.

        Parameters
        ----------
        image : as the model was trained on.
        label : of the same field.

        Raises
        ------
        UserError : no labels, a movie, or a model that has learned from whole images.
        """
        if self.crops is None:
            raise UserError(
                "Nuclei are classified by a model that has learned from nuclei.",
                f"{self.name}, trained on images with a class each",
                "Cut the nuclei first (nbtools crop), and predict the crops.",
            )
        if label is None:
            raise UserError(
                "This model classifies nuclei that have labels.",
                f"{image.name or 'an image'} without labels",
                "Put its label image into labels/ beside images/, and give the data set.",
            )
        if "T" in image.axes:
            raise UserError(
                "Nuclei are classified in one time point at a time.",
                f"{image.name or 'an image'} with axes {image.axes}",
                "Choose one with --time 0, or make each an image with --time all.",
            )
        started = time.perf_counter()
        found = list(cut_sample(Sample(image.name or "image", image, label), self.crops))
        each = [self.predict(crop.image).result.probability[0] for crop in found]
        numbers = np.array([int(crop.name.rpartition("_n")[2]) for crop in found], int)
        shares = np.array(each).reshape(-1, len(self.domain.classes))
        result = Classes(self.domain.classes, shares, image.name, numbers)
        return Prediction(result, seconds=time.perf_counter() - started)

    def describe_misfit(
        self, image: Image, result: Prediction, *, given: bool
    ) -> tuple[Finding, ...]:
        """Nothing: one image of a class may be as unlike the mean of all as it likes."""
        return ()

    # --- on disk

    def describe_crops(self) -> dict:
        """Size and scale of the crops it has learned from, for model.json."""
        return {} if self.crops is None else {"crops": asdict(self.crops)}

    def recall(self, about: dict) -> None:
        """Take the crops that it has learned from."""
        super().recall(about)
        told = about.get("crops")
        if isinstance(told, dict):
            known = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
            self.crops = CropPlan(**known)


def choose_known(dataset: DataSet) -> DataSet:
    """The images of a data set that have a class."""
    return dataset.subset([i for i, entry in enumerate(dataset.entries) if entry.class_name])


def weigh_classes(numbers: np.ndarray, *, count: int) -> np.ndarray:
    """A weight per class, so that all classes count alike: their mean over images is 1.

    Parameters
    ----------
    numbers : (n,) class of each image.
    count : K, number of classes.

    Returns
    -------
    (K,), 1 for a class that does not occur.

    Examples
    --------
    >>> weigh_classes(np.array([0, 0, 0, 1]), count=2).round(3).tolist()
    [0.667, 2.0]
    """
    sizes = np.bincount(numbers, minlength=count)
    present = max(1, np.count_nonzero(sizes))
    return np.where(sizes > 0, len(numbers) / (present * np.maximum(sizes, 1)), 1.0)


def _pair(truth: np.ndarray, told: np.ndarray, *, names: tuple[str, ...]) -> list[tuple]:
    """(truth, found) of each image, as classes."""
    sure = [Classes((name,), np.ones((1, 1))) for name in truth]
    return [(true, Classes(names, one[None])) for true, one in zip(sure, told, strict=True)]
