"""Choose the channel in which nuclei are to be found, of images that have several."""

from __future__ import annotations

import re
from collections.abc import Sequence

import ipywidgets
import numpy as np

from nbtools.data import DataSet, Sample
from nbtools.image import Image
from nbtools.populations import thin
from nbtools.widgets.common import format_note, make_dropdown, make_html

STAINS = re.compile(r"dapi|hoechst|draq|dna|nucle|nuclei|h2b|blue", re.IGNORECASE)
RED = 0  # absorbed by the stains of nuclei in sections
SECTION = "all colours: a stained section"


def pick_channel(sample: Sample) -> ChannelPicker:
    """Make a menu of an image's channels; `.value` is the sample with the channel that is taken.

    Parameters
    ----------
    sample : with an image of one channel, several, or colours.

    Examples
    --------
    >>> image = Image(np.arange(512).reshape(2, 16, 16), "CYX", channels=("actin", "DAPI"))
    >>> picker = pick_channel(Sample("a", image))
    >>> picker.value.image.shape, picker.sentence
    ((16, 16), 'Of 2 channels, 1: DAPI is taken; the menu has the others.')
    """
    return ChannelPicker(sample)


class ChannelPicker(ipywidgets.VBox):
    """The widget of `pick_channel`; without a click, a channel is taken, and a line says which.

    `menu` has the channels.
    """

    def __init__(self, sample: Sample):
        self.sample = sample
        choices = _list_choices(sample.image)
        chosen = _suggest(sample.image)
        self.menu = make_dropdown("Channel of the nuclei", choices, name="nb-channel", value=chosen)
        self.status = make_html("nb-channel-status")
        self.menu.observe(lambda _: self._update(), "value")
        super().__init__([self.menu, self.status] if len(choices) > 1 else [self.status])
        self.add_class("nb-pick-channel")
        self._update()

    @property
    def value(self) -> Sample:
        """The sample; its image has the channel that is taken, or is a section with all colours."""
        image = self.sample.image
        if self.menu.value is None:
            return self.sample
        return self.sample.replace(image=image.select(C=self.menu.value).replace(channels=()))

    def apply(self, images: DataSet) -> DataSet:
        """All images of a data set with the channel that is taken, each read when it is needed.

        Parameters
        ----------
        images : with the same channels as the image of the menu.
        """
        taken = self.menu.value
        return images if taken is None else images.with_channel(taken)

    @property
    def grey(self) -> Image:
        """One channel in which nuclei are bright; of a section the red light, turned round."""
        image = self.value.image
        if not image.is_rgb:
            return image
        red = image.select(C=RED).replace(channels=())
        return red.replace(pixels=red.pixels.max() - red.pixels)

    @property
    def sentence(self) -> str:
        """Which channel is taken."""
        image, taken = self.sample.image, self.menu.value
        if image.size("C") == 1:
            return "The image has one channel."
        if _is_grey(image):
            return "Three colours, all of them equal: one is taken, as grey values."
        if taken is None:
            return (
                "A stained section: all colours are taken; for Otsu's method the red light, turned "
                "round, since nuclei absorb it."
            )
        name = _name_channels(image)[taken]
        return f"Of {image.size('C')} channels, {name} is taken; the menu has the others."

    def _update(self) -> None:
        self.status.value = format_note(self.sentence)


def _list_choices(image: Image) -> list[tuple[str, int | None]]:
    if image.size("C") == 1:
        return [("the only one", 0 if "C" in image.axes else None)]
    if _is_grey(image):
        return [("grey", 0)]
    names = [(name, number) for number, name in enumerate(_name_channels(image))]
    return [(SECTION, None), *names] if image.is_rgb else names


def _suggest(image: Image) -> int | None:
    """The channel whose name is that of a stain of DNA, or the first that shows anything."""
    if image.size("C") == 1:
        return 0 if "C" in image.axes else None
    if image.is_rgb and not _is_grey(image) and _is_bright(image):
        return None
    count = 1 if _is_grey(image) else image.size("C")
    filled = [c for c in range(count) if np.ptp(image.select(C=c).pixels) > 0]
    known = [c for c in filled if c < len(image.channels) and STAINS.search(image.channels[c])]
    return next(iter([*known, *filled]), 0)


def _name_channels(image: Image) -> Sequence[str]:
    numbers = range(image.size("C"))
    if len(image.channels) == len(numbers):
        return [f"{number}: {image.channels[number]}" for number in numbers]
    return [f"number {number}" for number in numbers]


def _is_grey(image: Image) -> bool:
    """Whether the colours of an image are equal."""
    pixels = np.moveaxis(image.pixels, image.axes.index("C"), 0) if "C" in image.axes else ()
    return bool(image.is_rgb and (pixels == pixels[:1]).all())


def _is_bright(image: Image) -> bool:
    """Whether most of an image is bright, as sections under a lamp are."""
    low, middle, high = np.percentile(thin(image.pixels), (1, 50, 99))
    return bool(middle > (low + high) / 2)
