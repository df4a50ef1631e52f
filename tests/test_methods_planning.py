"""The planner against plans that nnU-Net itself has published, and what it says of its reasons."""

import json

import numpy as np
import pytest

from nbtools import data, simulate
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.methods import planning
from nbtools.methods.planning import Budget, Fingerprint


def plan_for(shape: tuple, spacing: tuple | None, *, count: int = 200, **options) -> planning.Plan:
    return planning.make_plan(Fingerprint((shape,) * count, (spacing,) * count), **options)


# Plan files that nnU-Net 2 wrote for public data, as their owners share them on Hugging Face: the
# 2D configuration of prostate158
# (osbm/prostate158_nnUNet_results_3d_fullres2, 32 or 31 patches by the number of channels) and of
# brain tumours of 170 x 138 px
@pytest.mark.parametrize(
    ("shape", "count", "patch", "batch", "halvings"),
    [((270, 270), 3000, (320, 320), 31, 6), ((170, 138), 60_000, (192, 160), 105, 5)],
)
def test_patch_and_batch_in_2d_are_those_of_published_plans(shape, count, patch, batch, halvings):
    plan = plan_for(shape, (1.0, 1.0), count=count)
    assert (plan.patch, plan.batch, len(plan.strides)) == (patch, batch, halvings)
    assert plan.widths == (32, 64, 128, 256, 512, 512, 512)[: halvings + 1]


def test_planes_that_lie_far_apart_wait_for_the_pixels_to_grow():
    # spacing of prostate158: the ratio 7.5 becomes 3.7 and 1.9, from where on z is halved too
    plan = plan_for((25, 270, 270), (3.0, 0.4018, 0.4018))
    assert plan.strides[:3] == ((1, 2, 2), (1, 2, 2), (2, 2, 2))
    assert plan.kernels[:3] == ((1, 3, 3), (1, 3, 3), (3, 3, 3))
    assert plan.rim == (1, 2)
    even = plan_for((128, 128, 128), (0.5, 0.5, 0.5))
    assert (even.patch, set(even.strides), set(even.kernels)) == (
        (128,) * 3,
        {(2, 2, 2)},
        {(3, 3, 3)},
    )
    assert even.rim == (0, 1, 2)


def count_parameters(plan: planning.Plan, *, channels: int = 1) -> int:
    """Weights of the published network: two convolutions a level with bias and norm, transposed
    convolutions, an answer a level.
    """
    total, before = 0, channels
    for kernel, width in zip(plan.kernels, plan.widths, strict=True):
        total += np.prod(kernel) * width * (before + width) + 2 * 3 * width
        before = width
    for level in reversed(range(len(plan.strides))):
        width, taps = plan.widths[level], np.prod(plan.kernels[level])
        total += np.prod(plan.strides[level]) * plan.widths[level + 1] * width + width
        total += taps * width * (2 * width + width) + 2 * 3 * width + planning.CLASSES * (width + 1)
    return int(total)


@pytest.mark.parametrize(
    ("shape", "levels", "millions"),
    [((128,) * 3, 6, 31.2), ((320, 320), 7, 33.5), ((512, 512), 8, 46.3)],
)
def test_networks_have_the_published_number_of_parameters(shape, levels, millions):
    # counted in the dynamic-network-architectures package of the authors, for 6 levels in 3D and 7
    # and 8 in 2D
    plan = plan_for(shape, (1.0,) * len(shape))
    assert len(plan.widths) == levels
    assert count_parameters(plan) / 1e6 == pytest.approx(millions, abs=0.05)


def test_the_pixel_size_is_the_median_and_of_a_coarse_axis_a_fine_one():
    fine, coarse = ((12, 200, 200),) * 10, [(z, 0.5, 0.5) for z in (2, 2, 4, 4, 4, 4, 5, 5, 6, 6)]
    assert planning.choose_spacing(Fingerprint(fine, tuple(coarse)))[0] == (2.0, 0.5, 0.5)
    deep = ((100, 200, 200),) * 10  # not few planes
    assert planning.choose_spacing(Fingerprint(deep, tuple(coarse)))[0] == (4.0, 0.5, 0.5)
    unknown = planning.choose_spacing(Fingerprint(deep, (None,) * 10))
    assert unknown == (None, "unknown")


def test_less_memory_makes_the_patch_smaller_and_it_fits():
    sizes = []
    for memory in (8.0, 1.0, 0.1, 0.01):
        plan = plan_for((64, 512, 512), (1.0, 0.4, 0.4), budget=Budget(memory, 16))
        levels = planning.Levels(plan.kernels, plan.strides)
        assert (np.array(plan.patch) % levels.grid == 0).all()
        assert (
            planning.count_features(np.array(plan.patch), levels, widths=plan.widths)
            <= memory / 8 * 560e6
        )
        sizes.append(np.prod(plan.patch))
    assert sizes == sorted(sizes, reverse=True)
    assert plan_for(
        (8, 20, 20), None, budget=Budget(1e-6, 16)
    ).patch  # however little, there is a plan


def test_a_batch_holds_at_most_a_twentieth_of_the_data_and_two_patches_at_least():
    assert plan_for((256, 256), None, count=1).batch == 2
    small = plan_for((256, 256), None, count=100)
    assert small.batch * np.prod(small.patch) <= 0.05 * 100 * 256**2 * 1.1


def test_a_fingerprint_tells_shapes_spacings_and_nuclei_and_a_plan_survives_json():
    seen = planning.take_fingerprint(
        simulate.make("nuclei3d", count=2, seed=0, settings={"shape_px": (12, 64, 64)})
    )
    assert (seen.shapes, seen.unit) == (((12, 64, 64),) * 2, "um")
    assert seen.spacings[0] == (1.0, 0.4, 0.4)
    table = seen.summary()
    assert table["median"][table["of each image"].index("spacing Z (um)")] == 1.0
    plan = planning.make_plan(seen, Budget(0.05, 8))
    assert planning.Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_every_decision_is_told_with_its_reason():
    seen = planning.take_fingerprint(
        simulate.make("nuclei3d", count=2, seed=0, settings={"shape_px": (24, 96, 96)})
    )
    told = str(planning.make_plan(seen, Budget(0.1, 8)))
    first = [line.partition(":")[0] for line in told.splitlines()]
    assert first == [
        "Pixel size",
        "Grey values",
        "Patch",
        "Nuclei",
        "Levels",
        "Kernels",
        "Classes",
        "Widths",
        "Batch",
    ]
    assert all(line.endswith(".") for line in told.splitlines())
    assert "Z waits until" in told
    narrow = str(planning.make_plan(seen, Budget(0.1, 8), patch=(8, 8, 8)))
    assert "more than the patch" in narrow
    wished = planning.make_plan(seen, Budget(0.1, 8), patch=(8, 40, 40))
    assert "as you set it" in str(wished)


def test_planes_and_volumes_in_one_set_are_refused():
    mixed = [data.Sample(f"{n}", Image(np.zeros((8, 16, 16)[n:]), "ZYX"[n:])) for n in (0, 1)]
    with pytest.raises(UserError, match="the same axes"):
        planning.take_fingerprint(data.DataSet.of(mixed))
