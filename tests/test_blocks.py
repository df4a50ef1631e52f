"""Blocks: planned, computed in any order, resumed, and joined without a seam."""

import numpy as np
import pytest
import tifffile
from drawn_cells import draw_cells, draw_discs, segment, store
from scipy import ndimage

from nbtools import io
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference.block_join import count_cut, join, match, relabel
from nbtools.inference.block_store import BlockStore, Found
from nbtools.inference.blocks import BlockPlan, InOrder, compute, format_left, plan_blocks
from nbtools.io import stored
from nbtools.measure import measure
from nbtools.metrics import stored_labels
from nbtools.metrics.instances import evaluate, score


class Shuffled(InOrder):
    """Runs blocks in an order of its own."""

    def __init__(self, order):
        self.order = order

    def __call__(self, run, indices):
        return super().__call__(run, self.order or indices)


def predict(plan, inside, folder, *, order=None, work=None, min_size=0):
    """The labels of a mask, block by block."""
    store = BlockStore(folder, plan)
    work = work or (lambda block: Found(segment(inside[block.outer])))

    compute(plan, work, store=store, executor=Shuffled(order))
    joined = join(plan, store, min_size=min_size)
    labels = np.zeros(plan.shape, np.int32)
    for place, core in relabel(store, joined):
        labels[place] = core
    return labels, joined


@pytest.mark.parametrize(
    ("shape", "size", "halo", "count", "radius"),
    [
        ((300, 280), (100, 90), (32, 32), 90, 11),
        ((40, 90, 80), (20, 45, 40), (10, 14, 14), 60, 6),
    ],
)
def test_labels_in_blocks_are_those_of_the_whole_image(tmp_path, shape, size, halo, count, radius):
    inside = draw_discs(shape, count=count, radius=radius)
    plan = BlockPlan(shape, size, halo)
    labels, joined = predict(plan, inside, tmp_path)
    assert score(segment(inside), labels, iou=0.9).ap >= 0.999
    assert joined.sizes.sum() == np.count_nonzero(labels)


def test_no_object_is_cut_at_a_border_of_blocks(tmp_path):
    inside = draw_discs((300, 300), count=100, radius=10, seed=3)
    plan = BlockPlan((300, 300), (64, 64), (30, 30))
    labels, _ = predict(plan, inside, tmp_path)
    whole, cut = segment(inside), np.zeros(inside.shape, np.int32)
    for block in plan:  # without a halo, objects are cut
        cut[block.core] = segment(inside[block.core]) + cut.max() * inside[block.core]
    seams = [count_cut(lambda place, a=a: a[place], plan) for a in (labels, whole, cut)]
    assert seams[0] == seams[1] < 3 < seams[2]


def test_an_object_across_many_blocks_is_one(tmp_path):
    inside = np.zeros((40, 300), bool)
    inside[15:25, 10:290] = True
    plan = BlockPlan(inside.shape, (20, 40), (4, 8))
    labels, joined = predict(plan, inside, tmp_path, work=lambda b: count_regions(inside, b))
    assert len(joined) == 1
    assert np.array_equal(labels > 0, inside)


def count_regions(inside, block):
    return Found(ndimage.label(inside[block.outer])[0])


def test_an_object_larger_than_the_halo_is_told(tmp_path):
    inside = np.zeros((60, 60), bool)
    inside[5:55, 5:55] = True
    inside[2:4, 2:4] = True
    plan = BlockPlan(inside.shape, (20, 20), (4, 4))
    labels, joined = predict(plan, inside, tmp_path, work=lambda b: count_regions(inside, b))
    assert joined.larger.tolist() == [labels[30, 30]]


def test_a_stopped_prediction_computes_only_what_is_left(tmp_path):
    inside = draw_discs((200, 200), count=40, radius=9)
    plan, seen = BlockPlan(inside.shape, (60, 60), (24, 24)), []

    def stop_at_seven(block):
        if block.index == 7:
            raise KeyboardInterrupt
        return Found(segment(inside[block.outer]))

    with pytest.raises(KeyboardInterrupt):
        predict(plan, inside, tmp_path / "a", work=stop_at_seven)

    def go_on(block):
        seen.append(block.index)
        return Found(segment(inside[block.outer]))

    labels, _ = predict(plan, inside, tmp_path / "a", work=go_on)
    whole, _ = predict(plan, inside, tmp_path / "b")
    assert seen == list(range(7, len(plan)))
    assert np.array_equal(labels, whole)


def test_a_damaged_block_is_computed_again(tmp_path):
    inside = draw_discs((90, 90), count=12, radius=8)
    plan = BlockPlan(inside.shape, (50, 50), (20, 20))
    whole, _ = predict(plan, inside, tmp_path)
    path = BlockStore(tmp_path, plan).path(2)
    path.write_bytes(path.read_bytes()[:40])
    assert np.array_equal(predict(plan, inside, tmp_path)[0], whole)


def test_blocks_of_another_image_are_not_taken(tmp_path):
    plan = BlockPlan((50, 50), (30, 30), (10, 10))
    store = BlockStore(tmp_path, plan, key="one image")
    store.save(0, Found(np.zeros(plan[0].shape, np.int32)))
    assert not BlockStore(tmp_path, plan, key="another").has(0)


@pytest.mark.parametrize("seed", [1, 2])
def test_labels_do_not_depend_on_the_order_of_blocks(tmp_path, seed):
    inside = draw_discs((180, 160), count=50, radius=9)
    plan = BlockPlan(inside.shape, (50, 50), (20, 20))
    order = np.random.default_rng(seed).permutation(len(plan)).tolist()
    first, _ = predict(plan, inside, tmp_path / "a")
    assert np.array_equal(predict(plan, inside, tmp_path / "b", order=order)[0], first)


def test_sizes_and_scores_are_those_of_whole_objects(tmp_path):
    inside = draw_discs((160, 160), count=25, radius=9)
    grey = np.random.default_rng(0).random(inside.shape)
    plan = BlockPlan(inside.shape, (50, 50), (24, 24))

    def work(block):
        labels = segment(inside[block.outer])
        return Found(labels, {"grey": grey[block.outer], "blocks": 1.0})

    labels, joined = predict(plan, inside, tmp_path, work=work)
    numbers = np.arange(1, len(joined) + 1)
    assert joined.sizes[1:].tolist() == np.bincount(labels.ravel())[1:].tolist()
    assert np.allclose(joined.sums["grey"][1:], ndimage.sum(grey, labels, numbers))
    assert joined.sums["blocks"] == len(plan)


def test_small_objects_are_left_out_after_joining(tmp_path):
    inside = np.zeros((40, 40), bool)
    inside[18:22, 18:22] = True  # 16 px, 4 in each of four blocks
    inside[2:4, 2:4] = True
    plan = BlockPlan(inside.shape, (20, 20), (6, 6))
    work = lambda block: count_regions(inside, block)  # noqa: E731
    labels, joined = predict(plan, inside, tmp_path, work=work, min_size=10)
    assert joined.sizes.tolist() == [0, 16]
    assert not labels[2, 2]


def test_a_seam_is_counted():
    labels = np.zeros((20, 20), int)
    labels[5:15, 5:10], labels[5:15, 10:15] = 1, 2
    assert count_cut(lambda place: labels[place], BlockPlan((20, 20), (10, 10), (2, 2))) == 1


def test_objects_match_where_they_share_more_than_half():
    one, other = np.array([[1, 1, 1, 2, 2, 0]]), np.array([[7, 7, 0, 0, 5, 5]])
    assert match(one, other).tolist() == [[1], [7]]


def test_blocks_begin_on_the_grid_of_the_network():
    plan = plan_blocks((1000, 900), halo=(37, 37), grid=(16, 16), bytes_per_pixel=100, free=3e7)
    starts = {s.start % 16 for block in plan for s in (*block.core, *block.outer)}
    assert starts == {0}
    assert all(np.prod(block.shape) * 100 <= 3e7 for block in plan)


def test_cores_cover_the_image_once():
    plan = plan_blocks((37, 210, 190), halo=(4, 10, 10), bytes_per_pixel=300, free=1e8)
    count = np.zeros(plan.shape, int)
    for block in plan:
        count[block.core] += 1
    assert (count == 1).all()


def test_a_block_that_memory_cannot_bear_is_refused():
    with pytest.raises(UserError, match="must fit into the memory"):
        plan_blocks((4000, 4000), halo=(500, 500), bytes_per_pixel=200, free=1e6)


def test_time_left_is_told_in_words():
    assert format_left(42) == "about 42 s"


def test_labels_in_a_file_are_measured_as_those_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_labels, "TILE", {2: 60})
    grey, inside = draw_cells((200, 190))
    about = {"spacing": (0.5, 0.25), "name": "a"}
    labels = segment(inside)
    one = measure(Image(labels, "YX", **about), Image(grey, "YX", **about), texture=True)
    files = store(tmp_path / "l", labels, **about), store(tmp_path / "i", grey, **about)
    two = measure(*files, texture=True)
    assert list(one) == list(two)
    numbers = [name for name in one if one[name].dtype.kind in "fiub"]
    assert all(np.allclose(one[n], two[n], rtol=1e-9, equal_nan=True) for n in numbers)


def test_labels_in_files_are_scored_as_those_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_labels, "TILE", {2: 60})
    monkeypatch.setattr(stored, "SLAB", 3000)
    labels = segment(draw_cells((200, 190))[1])
    labels[:20] = -1  # nobody looked there
    moved = np.roll(labels, 1, axis=1)
    one = evaluate([("a", Image(labels, "YX"), Image(moved, "YX"))], distances=True)
    files = store(tmp_path / "t", labels), store(tmp_path / "p", moved)
    assert evaluate([("a", *files)], distances=True) == one


def test_a_missing_result_of_labels_in_a_file_counts_as_missed(tmp_path):
    labels = segment(draw_cells((100, 90))[1])
    scores = evaluate([("a", store(tmp_path / "t", labels), None)])
    assert scores["pooled"]["0.50"]["fn"] == labels.max()


def test_pixels_in_a_file_are_seen_along_other_axes(tmp_path):
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    image = store(tmp_path / "a", values, "CYX").select(C=1).to("XYC")
    assert np.array_equal(image.pixels[...], values[1].T[..., None])


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_a_tiff_is_read_region_by_region(tmp_path, compression, tile):
    values = np.random.default_rng(0).integers(0, 999, (3, 100, 90)).astype(np.uint16)
    path = tmp_path / "a.tif"
    about = {"compression": compression, "tile": tile, "photometric": "minisblack"}
    tifffile.imwrite(path, values, **about)
    image = io.open_image(path, stored=True).image
    assert image.axes == io.read_image(path).axes
    assert np.array_equal(image.pixels[1:, 5:77, 40:], values[1:, 5:77, 40:])


def test_labels_in_a_file_are_written_as_labels_in_memory_are(tmp_path):
    labels = segment(draw_cells((120, 100))[1])
    about = {"spacing": (0.5, 0.5), "name": "a"}
    io.write_label(tmp_path / "a.tif", store(tmp_path / "l", labels.astype(np.uint16), **about))
    back = io.read_label(tmp_path / "a.tif")
    assert np.array_equal(back.pixels, labels)
    assert back.spacing_um == (0.5, 0.5)
