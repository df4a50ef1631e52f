"""The documents that the toolkit stores, each declared once: keys, types and bounds.

Keys that a declaration does not name are left as they are, so that documents of older and newer
versions stay readable.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import PydanticCustomError

from nbtools.documents.fields import (
    MOST_IMAGES,
    Amount,
    Axes,
    Best,
    Channels,
    Count,
    DomainFields,
    FileFact,
    HashedFile,
    ImageName,
    Interval,
    Number,
    Part,
    PixelSize,
    Plain,
    Schedule,
    Seconds,
    SettingValues,
    Shape,
    Spacing,
    Text,
    Unit,
    Values,
    Versions,
    Warnings,
    WholeDomain,
    Word,
)
from nbtools.documents.networks import (
    CareConfig,
    CareFields,
    MemoryFields,
    Normalisation,
    PlanFields,
    StarDistConfig,
    StarDistThresholds,
)

Means = dict[Word, Number | None]


class ModelFacts(DomainFields):
    """model.json of any version, as a report tells it: what it does not say is left out."""

    method: Word | None = None
    settings: SettingValues | None = None
    tuned: Values = {}
    axes: Axes | None = None
    versions: Versions = {}
    normalisation: Text | Normalisation | None = None
    parameters: Count | None = None
    there: Normalisation | None = None
    background: Number | None = None
    network: StarDistConfig | None = None
    care: CareFields | None = None
    plan: PlanFields | None = None
    memory: MemoryFields | None = None
    noise: dict[Word, object] | None = None


class Model(WholeDomain, ModelFacts):
    """model.json: what a method has to remember to predict."""

    method: Word
    settings: SettingValues


class ImageRow(Part):
    """An image of a result."""

    name: ImageName
    nuclei: Amount | None = None  # of a movie, the mean over its time points
    seconds: Seconds | None = None
    axes: Axes | None = None
    spacing: Annotated[list[PixelSize], Field(max_length=3)] | None = None
    unit: Unit | None = None
    zoom: Annotated[list[PixelSize], Field(max_length=3)] | None = None
    median_pixels: Number | None = None
    median_diameter_um: Number | None = None
    warnings: Warnings = []
    notes: list[Text] = []


class Failure(Part):
    """An image that was left out, and why."""

    name: Word
    message: Text


class Input(Part):
    """How images were read."""

    axes: Axes | None = None
    channel: Annotated[int, Field(ge=-10_000, le=10_000)] | Word | None = None
    time: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | Word | None = None
    series: Annotated[int, Field(ge=-10_000, le=1_000_000)] | Word | None = None
    spacing: Annotated[list[PixelSize], Field(min_length=1, max_length=3)] | None = None
    unit: Unit = "um"


class Result(Part):
    """result.json: what `predict` did."""

    method: Word | None = None
    model: Word | None = None
    weights: Word | None = None
    settings: SettingValues | None = None
    decoding: Values = {}
    tuned: Values | None = None
    limits: dict[Word, Interval] = {}
    domain: DomainFields | None = None
    class_channels: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    source: Annotated[str, Field(max_length=4096)] | None = None
    input: Input = Input()
    axes: Axes | None = None
    spacing: Spacing | None = None
    unit: Unit | None = None
    channels: Count | None = None
    min_size_um: Annotated[float, Field(gt=0, le=1e6)] | None = None
    seconds: Seconds | None = None
    fast: bool | None = None
    warnings: Warnings = []
    remarks: list[Text] = []
    images: Annotated[list[ImageRow], Field(max_length=MOST_IMAGES)] = []
    failed: Annotated[list[Failure], Field(max_length=MOST_IMAGES)] = []
    versions: Versions = {}
    command: Text | None = None


class ResultWithMaps(Result):
    """result.json of `predict --raw`, which can be decoded again."""

    method: Word
    model: Word
    settings: SettingValues
    decoding: Values
    domain: WholeDomain
    source: Annotated[str, Field(min_length=1, max_length=4096)]


class Calibration(Part):
    """Predicted probabilities against accuracies."""

    ece: Number
    bins: list[dict[Word, Number]]


class Curve(Part):
    """Precision against recall."""

    recall: list[Number]
    precision: list[Number]
    area: Number | None = None


class Drawn(Part):
    """What intervals were drawn over."""

    drawn: Word
    count: Count


class Scores(Part):
    """scores.json: what `evaluate` of any task returned."""

    task: Word | None = None
    images: Count | None = None
    mean_ap: Number | None = None
    pooled: dict[Annotated[str, Field(pattern=r"^[01](\.\d{1,4})?$")], Means] = {}
    mean: Means | None = None
    input: Means | None = None
    interval_95: dict[Word, Interval | None] | None = None
    interval_units: Drawn | None = None
    range: Word | Number | None = None
    missing: list[Word] = []
    splits: Count | None = None
    merges: Count | None = None
    missed: Count | None = None
    extra: Count | None = None
    balanced_accuracy: Number | None = None
    macro_f1: Number | None = None
    accuracy: Number | None = None
    mean_iou: Number | None = None
    dice: Number | None = None
    iou: Number | None = None
    precision: Number | None = None
    recall: Number | None = None
    f1: Number | None = None
    ap: Number | None = None
    classes: Annotated[list[Word], Field(max_length=1000)] | dict[Word, dict[Word, object]] = []
    confusion: Annotated[list[list[Number]], Field(max_length=1000)] = []
    calibration: Calibration | None = None
    curve: Curve | None = None


class RecipeFacts(Part):
    """recipe.json of any version, as a report tells it."""

    command: Text | None = None
    settings: SettingValues | None = None
    seed: Count | None = None
    schedule: Schedule = []
    inputs: Annotated[list[FileFact], Field(max_length=MOST_IMAGES)] = []
    method: Word | None = None
    minutes: Annotated[float, Field(gt=0)] | None = None
    fast: bool = False
    versions: Versions = {}
    seconds: Seconds | None = None
    epochs: Count | None = None
    steps: Count | None = None
    parameters: Count | None = None
    best: Best | None = None
    stopped: Word | None = None


class Recipe(RecipeFacts):
    """recipe.json: everything needed to train a model again."""

    command: Text
    settings: SettingValues
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    schedule: Schedule
    inputs: Annotated[list[HashedFile], Field(max_length=MOST_IMAGES)]

    def model_post_init(self, _context: Any) -> None:
        """Steps and progress of the schedule only rise."""
        for before, after in pairwise(self.schedule):
            if after[0] < before[0] or after[1] < before[1]:
                raise PydanticCustomError("value", "must have a schedule that rises")


class Difference(Part):
    """How far two compared methods are apart."""

    method: Word
    against: Word
    metric: Word
    difference: Number | None
    interval_95: Annotated[list[Number], Field(min_length=2, max_length=2)] | None
    clear: bool


class Maker(Part):
    """What made a compared result."""

    method: Word | None = None
    model: Word | None = None
    decoding: Values = {}
    warnings: Warnings = []


class Comparison(Part):
    """compare.json: several results against one truth."""

    metrics: Annotated[list[Word], Field(min_length=1, max_length=100)]
    differences: Annotated[list[Difference], Field(max_length=100_000)]
    images: Count
    task: Word | None = None
    truth: Word | None = None
    baseline: Word | None = None
    units: Count | None = None
    paired_over: Word = "images"
    draws: Count | None = None
    seed: Count | None = None
    made_by: dict[Word, Maker] = {}
    missing: dict[Word, list[Word]] = {}
    versions: Versions = {}
    files: list[FileFact] = []
    command: Text | None = None


Distance = Annotated[float, Field(ge=1e-12, le=1e12)]  # in any unit
Distances = Annotated[list[Distance], Field(min_length=1, max_length=3)]


class DataSetToml(Part):
    """dataset.toml: how the images of a data set are read."""

    axes: Axes | None = None
    spacing: Distance | Distances | None = None
    spacing_um: Distance | Distances | None = None
    unit: Word | None = None
    channels: Annotated[list[Word | int], Field(max_length=1024)] = []


class ImageNote(Part):
    """Our note in a PNG or TIFF: what the format itself has no place for."""

    axes: Axes | None = None
    shape: Shape | None = None
    spacing: Spacing | None = None
    unit: Unit = "um"
    channels: Channels = []
    interval_s: Annotated[float, Field(gt=0, le=1e12)] | None = None


class FirstDenoiser(Part):
    """first.json of `pn2v`, beside a checkpoint."""

    schedule: Schedule
    seconds: Seconds


class CheckpointHistory(Part):
    """The history in a checkpoint."""

    rows: list[dict[Word, Plain]] = []
    schedule: Schedule = []
    best: Best = Best()
    stopped: Word = ""
    seconds: Seconds = 0.0
    steps: Count = 0
    parameters: Count = 0


class ExpectedQuality(Part):
    """expected_quality.json: the line from agreement to score, and what it is of."""

    slope: Annotated[float, Field(ge=0, le=1e6)]
    intercept: Annotated[float, Field(ge=-1e6, le=1e6)]
    margin: Annotated[float, Field(ge=0, le=1)]
    rank_correlation: Annotated[float, Field(ge=-1, le=1)]
    images: Count
    weights: dict[Word, Word]
    decoding: dict[Word, Text]


class Checkpoint(Part):
    """The state in a checkpoint, beside its arrays."""

    history: CheckpointHistory | None = None
    settings: SettingValues | None = None
    seed: Count | None = None
    epoch: Count | None = None
    data: Word | None = None


class Copy(Part):
    """The note beside a copy of a checkpoint on a drive."""

    sha256: Word
    size: Count
    seconds: Seconds = 0.0


KINDS: dict[str, type[Part]] = {
    "model.json": Model,
    "model.json as facts": ModelFacts,
    "result.json": Result,
    "result.json with maps": ResultWithMaps,
    "scores.json": Scores,
    "recipe.json": Recipe,
    "recipe.json as facts": RecipeFacts,
    "compare.json": Comparison,
    "dataset.toml": DataSetToml,
    "config.json": StarDistConfig,
    "config.json of CARE": CareConfig,
    "thresholds.json": StarDistThresholds,
    "first.json": FirstDenoiser,
    "expected_quality.json": ExpectedQuality,
    "note": ImageNote,
    "checkpoint": Checkpoint,
    "copy": Copy,
}
