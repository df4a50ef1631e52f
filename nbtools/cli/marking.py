"""`predict --markers`: the points or boxes of a detector decide which nuclei there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbtools import tasks
from nbtools.data import InputOptions
from nbtools.errors import UserError
from nbtools.plausibility import Finding
from nbtools.results import Labels
from nbtools.tasks.reading import find_partner

if TYPE_CHECKING:
    from nbtools.image import Image
    from nbtools.methods import Method, Prediction

MANY_OUTSIDE = 0.5  # share of markers on no object, from which they hardly belong to the image


class Markers:
    """The markers of all images, each read when its image is predicted.

    Parameters
    ----------
    place : result of a detector, or any folder or file of points, boxes or labels.
    """

    def __init__(self, place: Path):
        self.place = place
        self.found = tasks.DETECTION.read(place, what="The markers", options=InputOptions())

    def apply(self, prediction: Prediction, image: Image) -> None:
        """Replace the labels of a prediction by one nucleus per marker, and say what was done.

        Parameters
        ----------
        prediction : of a segmentation method.
        image : what it was predicted from.

        Raises
        ------
        UserError : there are no markers for this image.
        """
        from nbtools.inference.markers import apply_markers

        names = self.found.names
        alone = len(names) == 1 and self.found.alone
        partner = names[0] if alone else find_partner(image.name, names, taken=[image.name])
        if partner is None:
            raise UserError(
                "Each image needs its markers.",
                f"{self.place} without {image.name}",
                "Predict the same images with the detector first, or leave the image out.",
            )
        marks = self.found.read(partner)
        prediction.result, count = apply_markers(prediction.result, marks)
        prediction.notes = (*prediction.notes, f"{count}.")
        if count.markers and count.outside > MANY_OUTSIDE * count.markers:
            prediction.warnings = (
                *prediction.warnings,
                Finding(
                    "markers_beside",
                    f"{count.outside} of {count.markers} markers lie on nothing that the model "
                    "takes for a nucleus.",
                    "See whether they belong to this image, and what the model finds without "
                    "--markers.",
                ),
            )


def open_markers(place: Path | None, model: Method) -> Markers | None:
    """The markers of a prediction; None where none are given.

    Parameters
    ----------
    place : of the markers; None without.
    model : must find labels.

    Raises
    ------
    UserError : a model that finds something else, or nothing that holds points.
    """

    if place is None:
        return None
    task = model.task
    if Labels not in task.results:
        raise UserError(
            "Markers divide the labels of a segmentation.",
            f"{model.name}, a method for {task.name}",
            "Leave --markers out, or choose a method of nbtools methods --task instances.",
        )
    return Markers(place)
