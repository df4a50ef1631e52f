"""Parts of model.json that a network is built from, within bounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic_core import PydanticCustomError

from nbtools.documents.fields import Number, Part, Shape, Spacing, Text

Few = Annotated[int, Field(ge=1, le=4096)]
Steps = Annotated[list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=2, max_length=3)]
Reach = Annotated[list[Annotated[int, Field(ge=0, le=10**6)]], Field(min_length=2, max_length=3)]
Levels = Annotated[list[Steps], Field(min_length=1, max_length=12)]
Vectors = Annotated[
    list[Annotated[list[Number], Field(min_length=3, max_length=3)]], Field(max_length=8192)
]
# what the stardist package makes of the name of its rays, it would make of any Python expression
Rays = Literal[
    "Rays_GoldenSpiral",
    "Rays_Cartesian",
    "Rays_SubDivide",
    "Rays_Tetra",
    "Rays_Octo",
    "Rays_Explicit",
]


class Normalisation(Part):
    """How grey values are scaled: by a rule of some version, or by numbers for each channel."""

    kind: Annotated[str, Field(max_length=100)] | None = None
    version: Annotated[int, Field(ge=0, le=10_000)] | None = None
    how: Text = ""
    offset: Annotated[list[float], Field(min_length=1, max_length=1024)] | None = None
    factor: (
        Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1, max_length=1024)] | None
    ) = None

    def model_post_init(self, _context: Any) -> None:
        """An offset for each factor."""
        if len(self.offset or ()) != len(self.factor or ()):
            raise PydanticCustomError("value", "must have an offset for each factor")


class MemoryFields(Part):
    """What a network takes of memory; see `methods.outline`."""

    radius: Reach | None
    grid: Shape
    features: Annotated[float, Field(gt=0, le=1e9)]
    outputs: Annotated[float, Field(gt=0, le=1e9)]
    tile: Shape | None
    whole: bool
    rescales: bool
    blocks: Literal["labels", "restored", ""]


class PlanFields(Part):
    """Decisions of a planned network; see `methods.data_plan.Plan`."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    spacing: Spacing | None
    shape: Annotated[list[Number], Field(min_length=2, max_length=3)]
    patch: Shape
    batch: Few
    widths: Annotated[list[Few], Field(min_length=1, max_length=12)]
    kernels: Levels
    strides: Levels
    reasons: list[Text] = []


class RayOptions(Part):
    """Arguments of the rays of a StarDist model."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    n: Annotated[int, Field(ge=3, le=1024)] = 96
    n_rays_x: Annotated[int, Field(ge=1, le=64)] = 11
    n_rays_y: Annotated[int, Field(ge=1, le=64)] = 5
    n_level: Annotated[int, Field(ge=0, le=5)] = 4
    anisotropy: Annotated[list[Number], Field(min_length=3, max_length=3)] | None = None
    vertices0: Vectors = []
    faces0: Vectors = []


class RayFields(Part):
    """The rays of a StarDist model of volumes."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    name: Rays
    kwargs: RayOptions


class StarDistConfig(Part):
    """The configuration of a network of the stardist package, as its config.json has it."""

    n_dim: Literal[2, 3] | None = None
    axes: Annotated[str, Field(pattern=r"^Z?YXC?$")]
    n_channel_in: Annotated[int, Field(ge=1, le=64)] = 1
    n_channel_out: Few = 33
    n_rays: Annotated[int, Field(ge=3, le=1024)]
    n_classes: Annotated[int, Field(ge=1, le=1024)] | None = None
    rays_json: RayFields | None = None
    grid: Steps
    anisotropy: Annotated[list[Number], Field(min_length=3, max_length=3)] | None = None
    backbone: Literal["unet", "resnet"] = "unet"
    unet_n_depth: Annotated[int, Field(ge=1, le=6)] = 3
    unet_kernel_size: Steps = [3, 3]
    unet_n_filter_base: Annotated[int, Field(ge=1, le=256)] = 32
    unet_n_conv_per_depth: Annotated[int, Field(ge=1, le=8)] = 2
    unet_pool: Steps = [2, 2]
    unet_expansion: Annotated[float, Field(ge=1, le=4)] = 2
    net_conv_after_unet: Annotated[int, Field(ge=0, le=4096)] = 128
    resnet_n_blocks: Annotated[int, Field(ge=1, le=64)] = 4
    resnet_kernel_size: Steps = [3, 3]
    resnet_n_filter_base: Annotated[int, Field(ge=1, le=256)] = 32
    resnet_n_conv_per_block: Annotated[int, Field(ge=1, le=8)] = 3
    net_conv_after_resnet: Annotated[int, Field(ge=0, le=4096)] = 128
    train_patch_size: Shape = [256, 256]


Depth = Annotated[int, Field(ge=1, le=6)]
Kernel = Annotated[int, Field(ge=1, le=15)]
Width = Annotated[int, Field(ge=1, le=256)]
Last = Literal["linear", "relu", "sigmoid", "tanh", "softplus", "elu"]


class CareConfig(Part):
    """The configuration of a network of CARE, as config.json of the csbdeep package has it."""

    axes: Annotated[str, Field(pattern=r"^Z?YXC?$")]
    n_channel_in: Annotated[int, Field(ge=1, le=64)] = 1
    n_channel_out: Annotated[int, Field(ge=1, le=64)] = 1
    probabilistic: bool = False
    unet_residual: bool
    unet_n_depth: Depth
    unet_kern_size: Kernel
    unet_n_first: Width
    unet_last_activation: Last


class CareFields(Part):
    """The same as model.json has it; see `methods.csbdeep_model.CareNetwork`."""

    axes: Literal["YX", "ZYX"]
    channels: Annotated[int, Field(ge=1, le=64)] = 1
    depth: Depth
    first: Width
    kernel: Kernel
    residual: bool
    activation: Last
    probabilistic: bool = False


class StarDistThresholds(Part):
    """thresholds.json of the stardist package."""

    prob: Annotated[float, Field(ge=0, le=1)] | None = None
    nms: Annotated[float, Field(ge=0, le=1)] | None = None
