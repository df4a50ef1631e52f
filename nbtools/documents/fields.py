"""The kinds of values that stand in documents, with their bounds; what pydantic checks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from nbtools.documents.places import LONGEST_NAME, is_plain_name

MOST_IMAGES = 1_000_000
Number = int | float
Plain = bool | int | float | str | None


def _require_name(name: str) -> str:
    if not is_plain_name(name):
        raise PydanticCustomError("value", "must be the name of a file, and no path")
    return name


Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=100_000)]
Word = Annotated[str, Field(max_length=1000)]
# of an image, and of the files made from it; tables and folders have no say in where these go
ImageName = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_require_name)]
Axes = Annotated[str, Field(pattern=r"^[TCZYXtczyx]{2,5}$")]
Unit = Literal["um", "pixel"]
PixelSize = Annotated[float, Field(ge=1e-6, le=1e6)]
Spacing = Annotated[list[PixelSize], Field(min_length=2, max_length=3)]
Amount = Annotated[float, Field(ge=0)]
Seconds = Amount
Interval = Annotated[list[Number | None], Field(min_length=2, max_length=2)]
Versions = dict[Word, Word | None]
Values = dict[Word, bool | Number | None]
Shape = Annotated[list[Annotated[int, Field(ge=1, le=10**7)]], Field(min_length=1, max_length=5)]
Schedule = Annotated[
    list[Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]],
    Field(max_length=1_000_000),
]
Channels = Annotated[list[Word], Field(max_length=1024)]


class Part(BaseModel):
    """A part of a document: strict types, finite numbers; keys that it does not name are left."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class Warned(Part):
    """A warning with the image that it is about, and what to do."""

    code: Word | None = None
    message: Text
    image: Word | None = None
    remedy: Text | None = None


Warnings = list[Text | Warned]


class SettingValues(Part):
    """Settings of any method: those that prose and reruns read, and others as plain values."""

    __pydantic_extra__: dict[str, Plain | list[Plain]]

    epochs: Count | None = None
    steps_per_epoch: Count | None = None
    batch_size: Count | None = None
    patch_size: Count | None = None
    learning_rate: Number | None = None
    checkpoint: Word | None = None


class Best(Part):
    """The best epoch of a training, and its numbers."""

    __pydantic_extra__: dict[str, Plain]

    epoch: Count | None = None
    val_loss: Number | None = None
    val_mean_ap: Number | None = None


class FileFact(Part):
    """A file and its sha256, as a report lists them."""

    file: Annotated[str, Field(max_length=4096)]
    sha256: Word | None = None


class HashedFile(FileFact):
    """A file and its sha256."""

    file: Annotated[str, Field(min_length=1, max_length=4096)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None


class DomainFields(Part):
    """What a model was trained on; see `methods.Domain`."""

    ndim: Literal[2, 3] = 2
    channels: Annotated[int, Field(ge=1, le=1024)] = 1
    channel_names: Channels = []
    spacing: Spacing | None = None
    unit: Unit = "um"
    nucleus_size: Annotated[float, Field(ge=1e-3, le=1e6)] | None = None
    size_range: (
        Annotated[list[Annotated[float, Field(ge=0, le=1e6)]], Field(min_length=2, max_length=2)]
        | None
    ) = None
    classes: Channels = []
    grey: dict[Word, Annotated[list[Number], Field(min_length=2, max_length=2)]] = {}


class WholeDomain(DomainFields):
    """A domain that networks are built from and images brought to."""

    def model_post_init(self, _context: Any) -> None:
        """A pixel size for each axis."""
        if self.spacing is not None and len(self.spacing) != self.ndim:
            raise PydanticCustomError("value", "must have a spacing for each of its axes")
