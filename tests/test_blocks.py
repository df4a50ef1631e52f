"""Blocks: planned, computed in any order, resumed, and joined without a seam."""

import numpy as np
import pytest
from scipy import ndimage

from nbtools.errors import UserError
from nbtools.inference.block_join import count_cut, join, match, relabel
from nbtools.inference.block_store import BlockStore, Found
from nbtools.inference.blocks import BlockPlan, compute, format_left, plan_blocks
from nbtools.metrics.instances import score
from nbtools.targets.objects import split_touching_objects


def draw_discs(shape, *, count, radius, seed=0):
    """A mask of discs or balls at random places, many of which touch."""
    rng, inside = np.random.default_rng(seed), np.zeros(shape, bool)
    grid = np.indices(shape)
    for centre in rng.uniform(0, shape, (count, len(shape))):
        apart = grid - centre.reshape(-1, *(1,) * len(shape))
        inside |= np.square(apart).sum(axis=0) < rng.uniform(0.6, 1.2) * radius**2
    return inside


def segment(inside):
    """Labels of a mask, split at waists: what a classical method does with a block."""
    return split_touching_objects(inside, split=1.0)


def predict(plan, inside, folder, *, order=None, work=None, min_size=0):
    """The labels of a mask, block by block."""
    store = BlockStore(folder, plan)
    work = work or (lambda block: Found(segment(inside[block.outer])))

    def run(run_one, indices):
        for index in order or indices:
            run_one(index)
            yield index

    compute(plan, work, store=store, executor=run)
    joined = join(plan, store, min_size=min_size)
    labels = np.zeros(plan.shape, np.int32)
    for place, core in relabel(plan, store, joined):
        labels[place] = core
    return labels, joined


@pytest.mark.parametrize(
    ("shape", "size", "halo", "count", "radius"),
    [
        ((300, 280), (100, 90), (32, 32), 90, 11),
        ((40, 90, 80), (20, 45, 40), (10, 14, 14), 60, 6),
    ],
)
def test_labels_in_blocks_are_those_of_the_whole_image(
    tmp_path, shape, size, halo, count, radius
):
    inside = draw_discs(shape, count=count, radius=radius)
    plan = BlockPlan(shape, size, halo)
    labels, joined = predict(plan, inside, tmp_path)
    assert score(segment(inside), labels, iou=0.9).ap >= 0.999
    assert not len(joined.larger)


def test_no_object_is_cut_at_a_border_of_blocks(tmp_path):
    inside = draw_discs((300, 300), count=100, radius=10, seed=3)
    plan = BlockPlan((300, 300), (64, 64), (30, 30))
    labels, _ = predict(plan, inside, tmp_path)
    assert count_cut(lambda place: labels[place], plan) == 0
