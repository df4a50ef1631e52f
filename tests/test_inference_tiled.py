"""Tiles: plans that cover the image once, and the reach of a network read from its layers."""

import numpy as np
import pytest

from nbtools import inference, nets, runtime
from nbtools.errors import UserError
from nbtools.inference import ReceptiveField, tiled
from nbtools.inference.receptive_field import measure_receptive_field


@pytest.mark.parametrize("shape", [(1, 1), (70, 83), (513, 1000), (9, 33, 41), (64, 100, 37)])
@pytest.mark.parametrize("tile", [16, 64, 200])
def test_kept_windows_cover_each_pixel_once_with_its_margin(shape, tile):
    ndim = len(shape)
    field = ReceptiveField((11,) * ndim, (8,) * ndim, 10.0)
    plan = inference.plan_tiles(shape, field, tile=(tile,) * ndim)
    covered = np.zeros(shape, int)
    for windows in plan.tiles:
        covered[tuple(slice(w.low, w.high) for w in windows)] += 1
        for window, size, length in zip(windows, plan.tile, shape, strict=True):
            whole = -(-length // 8) * 8
            assert window.start % 8 == 0
            assert 0 <= window.start <= window.start + size <= max(whole, size)
            assert window.low - window.start >= 11 or window.start == 0
            assert window.start + size - window.high >= 11 or window.start + size >= whole
    assert (covered == 1).all()


def reach_of(model, ndim: int, size: int) -> int:
    """Farthest input pixel, along the last axis, that changes the middle of the output of a network
    of positive weights.
    """
    for variable in model.weights:
        variable.assign(
            np.zeros(variable.shape)
            if "moving_mean" in variable.path or "beta" in variable.path
            else np.full(variable.shape, 0.1)
        )
    least = measure_receptive_field(model).grid
    image = np.ones((1, *least[:-1], size, 1), np.float32)
    before = np.asarray(model(image))
    changed = []
    middle = size // 2
    image[0, ..., middle, 0] = 5
    after = np.asarray(model(image))
    changed = np.flatnonzero(
        np.abs(after - before).max(axis=(*range(after.ndim - 2), after.ndim - 1)) > 1e-12
    )
    return int(max(middle - changed.min(), changed.max() - middle))


@pytest.mark.parametrize(
    ("ndim", "plan"),
    [
        (2, {"filters": (2, 2, 2)}),
        (2, {"filters": (2, 2, 2), "stem": 2, "skip_mode": "add", "decoder_convs": 1}),
        (2, {"filters": (2, 2), "pool": "blur", "topmost_skip": False}),
        (2, {"filters": (2, 2), "pool": "stride", "upsampling": "transpose", "kernel": 5}),
        (3, {"filters": (2, 2), "strides": ((1, 2, 2),)}),
    ],
)
def test_the_radius_read_from_the_layers_covers_what_the_network_really_sees(ndim, plan):
    model = nets.unet(ndim, norm="none", activation="linear", **plan)
    field = measure_receptive_field(model)
    real = reach_of(model, ndim, 256)
    assert real <= field.radius[-1] <= 1.6 * real + 8


def test_a_network_that_looks_at_everything_has_no_radius():
    assert measure_receptive_field(nets.unet(2, filters=(2, 2), norm="instance")).radius is None


def test_without_a_radius_tiles_are_blended_to_a_smooth_whole(rng):
    field, image = (
        ReceptiveField(None, (4, 4), 1.0),
        rng.normal(size=(90, 130, 1)).astype(np.float32),
    )
    plan = inference.plan_tiles(image.shape[:2], field, tile=(48, 64))
    assert not plan.exact
    assert len(plan.tiles) > 4
    np.testing.assert_allclose(
        inference.run_tiles(lambda tile: tile, image, plan=plan, field=field), image, atol=1e-5
    )


def test_a_tile_that_does_not_fit_is_halved(rng):
    field, image = (
        ReceptiveField((2, 2), (2, 2), 1.0),
        rng.normal(size=(64, 64, 1)).astype(np.float32),
    )
    seen = []

    def run(tile):
        seen.append(tile.shape)
        if tile.shape[0] > 40:
            raise MemoryError
        return tile

    out = inference.run_tiles(run, image, plan=inference.plan_tiles((64, 64), field), field=field)
    np.testing.assert_array_equal(out, image)
    assert seen[0][0] == 64
    assert seen[-1][0] <= 40


def test_memory_that_is_too_small_for_any_tile_is_said():
    def run(tile):
        raise MemoryError

    field = ReceptiveField((2, 2), (2, 2), 1.0)
    with pytest.raises(UserError, match="One tile of the image must fit into memory"):
        inference.run_tiles(
            run,
            np.zeros((8, 8, 1), np.float32),
            plan=inference.plan_tiles((8, 8), field),
            field=field,
        )


def test_another_error_is_not_swallowed():
    def run(tile):
        raise RuntimeError("a bug")

    field = ReceptiveField((2, 2), (2, 2), 1.0)
    with pytest.raises(RuntimeError, match="a bug"):
        inference.run_tiles(
            run,
            np.zeros((8, 8, 1), np.float32),
            plan=inference.plan_tiles((8, 8), field),
            field=field,
        )


def test_features_are_counted_from_the_layer_that_makes_them_to_the_last_that_reads_them():
    # widths 4 and 8: most is alive where the finest level is merged: 8 channels from below, the
    # skip's 4, and 12 of both
    assert measure_receptive_field(nets.unet(2, filters=(4, 8))).features == 24
    plain = measure_receptive_field(nets.unet(2, filters=(16,)))
    assert (
        plain.features == 32
    )  # a convolution's input and output; norm and activation take no second copy
    assert plain.outputs == 1


def test_a_forecast_counts_tiles_and_memory_and_says_so(monkeypatch):
    monkeypatch.setattr(
        runtime, "memory", lambda: runtime.Memory(8 * runtime.GB, 4 * runtime.GB, 0)
    )
    field = ReceptiveField((4, 4), (4, 4), features=10.0, outputs=2.0)
    plan = inference.plan_tiles((1000, 1000), field, tile=(256, 256))
    told = tiled.forecast(plan, field)
    assert (told.tiles, told.tile, told.free) == (len(plan.tiles), plan.tile, 4 * runtime.GB)
    assert told.needed == 1e6 * (
        2 * 2 * 4 + tiled.DECODING
    )  # decoding needs more than a small tile
    large = tiled.forecast(inference.plan_tiles((1000, 1000), field), field, frames=3)
    assert large.tiles == 3
    assert large.needed == pytest.approx(2 * 8e6 + 1e6 * 10 * 4 * tiled.WORKSPACE)
    assert str(told).startswith(
        f"{told.tiles} tiles of {told.tile[0]} x {told.tile[1]} px, about 0.06 GB"
    )
