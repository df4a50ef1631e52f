"""Why a plan is as it is: one sentence a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nbtools.methods.data_plan import Fingerprint, Plan


@dataclass(frozen=True)
class Facts:
    """Facts of the planning that the reasons mention.

    Parameters
    ----------
    why : rule of the pixel size.
    begun : the patch before it was cut.
    wished : the patch was given.
    capped : the batch is smaller than memory would allow.
    memory_gb : budget in GB.
    """

    why: str
    begun: tuple[int, ...]
    wished: bool
    capped: bool
    memory_gb: float


def explain(plan: Plan, fingerprint: Fingerprint, *, facts: Facts) -> tuple[str, ...]:
    """Explain a plan in sentences, in the order in which the decisions are taken.

    Parameters
    ----------
    plan : settings of the training.
    fingerprint : of the training images.
    facts : of the planning.
    """
    messages = [
        _say_spacing(plan, fingerprint, facts.why),
        _say_grey(fingerprint),
        _say_patch(plan, facts),
        _say_nuclei(plan, fingerprint),
    ]
    return tuple(
        filter(
            None,
            [
                *messages,
                _say_levels(plan),
                _say_kernels(plan),
                _say_rim(plan),
                _say_widths(plan),
                _say_batch(plan, facts),
            ],
        )
    )


def _say_spacing(plan: Plan, fingerprint: Fingerprint, why: str) -> str:
    if plan.spacing is None:
        return (
            "Pixel size: unknown, so pixels are taken to be as long along every axis; give it "
            "with --spacing if they are not."
        )
    size, unit = times(plan.spacing), "px" if fingerprint.unit == "pixel" else "µm"
    differ = len({s for s in fingerprint.spacings if s}) > 1
    others = "images of another one are brought to it" if differ else "all images have it already"
    if why == "percentile":
        axis = "ZYX"[-len(plan.spacing) :][int(np.argmax(plan.spacing))]
        return (
            f"Pixel size: {size} {unit}, the median, but along coarse {axis} a fine one (10th "
            f"percentile), so that no detail is lost; {others}."
        )
    return f"Pixel size: {size} {unit}, the median of {len(fingerprint.shapes)} images; {others}."


def _say_grey(fingerprint: Fingerprint) -> str:
    if not fingerprint.grey:
        return ""
    means = [mean for mean, _ in fingerprint.grey]
    return (
        "Grey values: each image to mean 0 and spread 1, since brightness differs (means "
        f"{min(means):.4g} to {max(means):.4g})."
    )


def _say_patch(plan: Plan, facts: Facts) -> str:
    patch, image = f"Patch: {times(plan.patch)} px", f"median image of {times(plan.shape)} px"
    if facts.wished:
        return f"{patch}, as you set it, of a {image}."
    if min(np.subtract(plan.patch, facts.begun)) >= 0:
        return f"{patch}: the whole {image} fits into {facts.memory_gb:g} GB."
    return (
        f"{patch}: begun at {times(facts.begun)}, equally long along each axis but no longer "
        f"than the {image}, "
        f"then cut where it covers most of that, until {facts.memory_gb:g} GB hold it."
    )


def _say_nuclei(plan: Plan, fingerprint: Fingerprint) -> str:
    sizes = [d for one in fingerprint.diameters for d in one]
    if not sizes:
        return ""
    median, largest = float(np.median(sizes)), float(np.max(sizes))
    if largest > plan.patch[-1]:
        return (
            f"Nuclei: up to {largest:.0f} px across, more than the patch, so that none such is "
            "seen whole; give more memory."
        )
    return (
        f"Nuclei: {median:.0f} px across in the median; the patch is "
        f"{plan.patch[-1] / median:.1f} times as wide, so most are seen whole."
    )


def _say_levels(plan: Plan) -> str:
    axes, halved = (
        "ZYX"[-len(plan.patch) :],
        (np.array(plan.strides).reshape(-1, len(plan.patch)) == 2),
    )
    counts: dict[int, list[str]] = {}
    for axis, count in zip(axes, halved.sum(axis=0), strict=True):
        counts.setdefault(int(count), []).append(axis)
    halvings = ", ".join(
        f"{' and '.join(named)} {count} time{'' if count == 1 else 's'}"
        for count, named in counts.items()
    )
    late = [
        a for i, a in enumerate(axes) if len(halved) and halved[:, i].any() and not halved[0, i]
    ]
    waits = (
        f" {' and '.join(late)} waits until the other pixels have grown nearly as long as its own."
        if late
        else ""
    )
    return (
        f"Levels: {len(plan.widths)}; halved between them are {halvings}, as long as 8 px and "
        f"pixels of like length are left.{waits}"
    )


def _say_kernels(plan: Plan) -> str:
    narrow = sum(1 in kernel for kernel in plan.kernels)
    if not narrow:
        return (
            f"Kernels: {times(plan.kernels[0])} everywhere, since pixels are about as long along "
            "every axis."
        )
    where = "at the first level" if narrow == 1 else f"at the first {narrow} levels"
    why = "since a neighbour along the coarse axis is too far away to say much"
    below = f"; {times(plan.kernels[-1])} below" if narrow < len(plan.kernels) else ""
    return f"Kernels: {times(plan.kernels[0])} {where}, {why}{below}."


def _say_rim(plan: Plan) -> str:
    if len(plan.rim) == len(plan.patch):
        return (
            "Classes: background, core and a rim of 1 px in each nucleus, which splits those that "
            "touch."
        )
    coarse = " and ".join(a for i, a in enumerate("ZYX"[-len(plan.patch) :]) if i not in plan.rim)
    return (
        f"Classes: background, core and rim; along coarse {coarse} a rim only between nuclei "
        "that touch: flat ones would be all rim."
    )


def _say_widths(plan: Plan) -> str:
    return (
        f"Widths: {', '.join(map(str, plan.widths))} channels, doubled at each level up to a limit."
    )


def _say_batch(plan: Plan, facts: Facts) -> str:
    if plan.batch == 2:
        return (
            "Batch: 2 patches, the fewest that average anything; memory goes into the patch first."
        )
    why = (
        "since more would hold over 5 % of all pixels at once"
        if facts.capped
        else f"as many as {facts.memory_gb:g} GB hold"
    )
    return f"Batch: {plan.batch} patches, {why}."


def times(values: object) -> str:
    """Numbers along the axes: 16 x 64 x 64."""
    return " x ".join(f"{v:.4g}" for v in values)
