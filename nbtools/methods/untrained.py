"""Methods that work without training, on planes and volumes of any pixel size."""

from __future__ import annotations

from typing import ClassVar

from nbtools.image import Image
from nbtools.methods.domain import Domain
from nbtools.methods.method import Method


class Untrained(Method):
    """A method whose domain is that of the image at hand, unless training has said otherwise.

    It looks at an image as a whole, without tiles.
    """

    tiled: ClassVar[bool] = False
    takes_channels: ClassVar[bool] = False  # any number of them; else one
    taken: Domain | None = None  # from the image at hand

    def check_image(self, image: Image) -> Image:
        """Where no training has said otherwise, planes and volumes of any pixel size will do."""
        if self.domain in (Domain(), self.taken):
            seen = image.select(T=0) if self.takes_channels else image.select(T=0, C=0)
            self.taken = self.domain = Domain.of(seen)
        return super().check_image(image)
