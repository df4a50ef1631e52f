"""PixelNetwork: networks that say what each pixel is; nuclei by their borders, or several classes.

The label images of a training set hold a number per nucleus, or, with learns=classes, the number of
the class of each pixel. In the former case the network tells background, inside and border, and
nuclei are what borders separate; in the latter its result is a map of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import keras
import numpy as np

from nbtools import losses, tasks
from nbtools.config import setting
from nbtools.data import DataSet
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference import Activated, FixedTile, Inference, TestTimeAugmentation, Tiled
from nbtools.methods.border_settings import BorderSettings
from nbtools.methods.keras_method import KerasMethod
from nbtools.methods.settings import tta_setting
from nbtools.targets.pixel_classes import LEARNS, PixelTarget

if TYPE_CHECKING:
    from nbtools.tasks import Task

FARTHEST = 128  # px to each side, beyond which margins would be whole images
MOST = 64  # classes; label images with higher numbers are those of single nuclei


@dataclass(frozen=True)
class PixelSettings(BorderSettings):
    """Settings of every network that says what each pixel is."""

    learns: str = setting(
        LEARNS[0],
        choices=LEARNS,
        help=(
            "What the label images hold: a number per nucleus, or the number of the class of each "
            "pixel."
        ),
    )
    class_names: tuple[str, ...] = setting(
        (),
        help=(
            "Of learns=classes: names of the numbers 0, 1, 2…, the background first; empty: "
            "background, class1, class2…"
        ),
    )
    tta: str = tta_setting(
        default="none",
        help="Views averaged in prediction: the image alone, or its flips and turns.",
    )


class PixelNetwork(KerasMethod):
    """A method whose network says what each pixel is. A subclass gives `build`."""

    Settings, Target = PixelSettings, PixelTarget

    @property
    def learns_pixels(self) -> bool:
        """Whether label images hold classes of pixels."""
        return self.settings.learns == LEARNS[1]

    @property
    def task(self) -> Task:
        """What its result is: labels of nuclei, or a map of classes."""
        return tasks.SEMANTIC if self.learns_pixels else super().task

    @property
    def outputs(self) -> int:
        """Channels that the network predicts."""
        return len(self.target().outputs)

    def loss(self) -> Callable:
        if self.learns_pixels:
            return losses.deep_supervision_ce_dice
        return losses.weighted_cross_entropy

    def list_classes(self, train: DataSet) -> tuple[str, ...]:
        """Names of the classes of pixels, where these are learned.

        Parameters
        ----------
        train : training images.

        Raises
        ------
        UserError : the label images hold one class only, or too many, or more than have names.
        """
        if not self.learns_pixels:
            return ()
        highest = max(int(label.pixels.max(initial=0)) for label in _list_labels(train))
        known = self.settings.class_names
        names = known or name_classes(highest + 1)
        if not 1 <= highest < MOST:
            raise UserError(
                f"Label images of classes hold the numbers 0 to {MOST - 1}, and two at least.",
                f"a highest number of {highest}",
                "Leave out learns=classes where the numbers are those of nuclei.",
            )
        if highest >= len(names):
            raise UserError(
                "Every number in the label images must have a name.",
                f"{len(names)} names, and a highest number of {highest}",
                "Give one name per number, from 0, in class_names.",
            )
        return names

    def count_objects(self, train: DataSet) -> list[int]:
        """As for every network; classes of pixels are no nuclei to be counted.

        Parameters
        ----------
        train : training images.
        """
        if not self.learns_pixels:
            return super().count_objects(train)
        shapes = [train.image(i).space_shape for i in range(len(train))]
        self.largest = tuple(np.max(shapes, axis=0).tolist())
        return [0] * len(train)

    def adopt(self, model: keras.Model) -> None:
        """Use this network; with blended tiles where it sees very far, or the whole image.

        Parameters
        ----------
        model : (B, *space, C) → (B, *space, K).
        """
        super().adopt(model)
        if self.field.radius is not None and max(self.field.radius) > FARTHEST:
            self.field = replace(self.field, radius=None)

    def inference(self) -> Inference:
        if self.field.radius is not None:
            return super().inference()
        tiles = FixedTile(Tiled(self.field), self.tile_shape(self.field.grid))
        views = TestTimeAugmentation(tiles, self.settings.tta)
        return Activated(views, self.target().activate)

    def tile_shape(self, grid: Sequence[int]) -> tuple[int, ...]:
        """Shape of the tiles of a network whose prediction depends on it: as in training.

        Parameters
        ----------
        grid : pixels that it is rounded up to multiples of, along each axis.
        """
        plane = (self.resolve("patch_size"),) * 2
        size = (self.settings.patch_depth, *plane)[-self.domain.ndim :]
        return tuple(int(-(-s // g) * g) for s, g in zip(size, grid, strict=True))

    def works_in_blocks(self, image: Image) -> bool:
        """Labels of nuclei are joined across blocks; maps of classes are not."""
        return not self.learns_pixels and super().works_in_blocks(image)


def name_classes(count: int) -> tuple[str, ...]:
    """Names of classes that have none.

    Parameters
    ----------
    count : of the classes, with the background.

    Examples
    --------
    >>> name_classes(3)
    ('background', 'class1', 'class2')
    """
    return ("background", *(f"class{i}" for i in range(1, count)))


def _list_labels(train: DataSet) -> list[Image]:
    return [sample.label for sample in train if sample.label is not None]
