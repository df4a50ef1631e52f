"""One contract for all methods: whatever stands in the table must keep it."""

import dataclasses
from pathlib import Path

import numpy as np
import probes
import pytest
from small import SPACING, data_sets, make_sample, tiny

from nbtools import data, methods, tasks, training
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference import FixedTile
from nbtools.methods import registry
from nbtools.metrics import restoration
from nbtools.results import Boxes, Classes, ClassMap, Grid, Labels, Points, Restored, Result

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"

ROWS = {row.name: row for row in (*methods.ROWS, *probes.ROWS)}
CASES = [(r.name, d) for r in ROWS.values() for d in r.dims]
TRAINED = [(r.name, d) for r in ROWS.values() for d in r.dims if r.trained]


@pytest.fixture(autouse=True)
def known_probes(monkeypatch):
    """The probes stand in the table, as every method does."""
    monkeypatch.setattr(registry, "ROWS", tuple(ROWS.values()))


pytestmark = pytest.mark.usefixtures("step_by_step")


@pytest.fixture(scope="module")
def fitted() -> dict:
    """Each method fitted once a dimension; tests share them, since compiling a network takes
    seconds.
    """
    return {}


def fit(fitted: dict, name: str, ndim: int) -> methods.Method:
    if (name, ndim) not in fitted:
        method = tiny(name)
        method.fit(*data_sets(ndim, name), plan=training.TrainingPlan(seed=3))
        fitted[name, ndim] = method
    return fitted[name, ndim]


@pytest.mark.parametrize("name", methods.names())
def test_settings_survive_json_and_the_command_line(name):
    cls = methods.get(name).Settings
    settings = cls()
    assert cls.from_dict(settings.to_dict()) == settings
    words = [
        f"{k}={','.join(map(str, v)) if isinstance(v, list) else v}"
        for k, v in settings.to_dict().items()
    ]
    assert cls(**cls.parse(words)) == settings
    with pytest.raises(UserError, match="Known: "):
        cls.parse(["no_such_setting=1"])


def arrays_of(result: Result, *, frame: int | None = None) -> list[np.ndarray]:
    """The arrays of a result, or of one time point of it."""
    if isinstance(result, Labels | ClassMap | Restored):
        pixels = result.image.pixels
        return [pixels if frame is None else pixels[frame]]
    if isinstance(result, Classes):
        return [result.probability]
    rows = slice(None) if frame is None else result.frame == frame
    found = result.coordinates if isinstance(result, Points) else result.edges
    return [array[rows] for array in (found, result.score) if array is not None]


def raw_maps(prediction: methods.Prediction) -> dict[str, np.ndarray]:
    return {name: maps for name, maps in prediction.raw.items() if isinstance(maps, np.ndarray)}


def assert_raw_close(found: methods.Prediction, wanted: methods.Prediction, atol: float) -> None:
    assert raw_maps(found)
    for name, maps in raw_maps(wanted).items():
        np.testing.assert_allclose(found.raw[name], maps, atol=atol, err_msg=name)


@pytest.mark.parametrize(("name", "ndim"), CASES)
def test_prediction_keeps_axes_shape_spacing_and_name(fitted, name, ndim):
    method, image = fit(fitted, name, ndim), make_sample(5, ndim).image
    result = method.predict(image).result
    assert isinstance(result, tasks.get(ROWS[name].task).results)
    if isinstance(result, Classes):
        assert result.name == image.name
        assert result.probability.shape == (1, len(result.names))
        np.testing.assert_allclose(result.probability.sum(axis=1), 1, atol=1e-5)
        return
    grid = result.grid if isinstance(result, Points | Boxes) else Grid.of(result.image)
    assert grid == Grid.of(image)
    if isinstance(result, Labels):
        pixels = result.image.pixels
        assert pixels.dtype.kind in "iu"
        present = np.unique(pixels)
        assert list(present[present > 0]) == list(range(1, int(pixels.max()) + 1))


@pytest.mark.parametrize(("name", "ndim"), CASES)
def test_a_saved_method_predicts_the_same(fitted, tmp_path, name, ndim):
    method, image = fit(fitted, name, ndim), make_sample(5, ndim).image
    method.save(tmp_path / "model")
    again = methods.load(tmp_path / "model")
    assert again.settings == method.settings
    assert again.domain == method.domain
    before, after = method.predict(image, raw=True), again.predict(image, raw=True)
    assert_raw_close(after, before, 1e-5)
    for found, wanted in zip(arrays_of(after.result), arrays_of(before.result), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("name", "ndim"), TRAINED)
def test_best_and_last_weights_are_both_saved(fitted, tmp_path, name, ndim):
    method = fit(fitted, name, ndim)
    method.save(tmp_path / "model")
    kept = {w: methods.load(tmp_path / "model", weights=w) for w in training.KEPT}
    for wanted, again in kept.items():
        known = (
            weights_of(method)
            if wanted == method.settings.checkpoint
            else method.other_weights[wanted]
        )
        for a, b in zip(known, weights_of(again), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "ndim"), TRAINED)
def test_the_same_seed_gives_the_same_weights_and_a_resumed_run_equals_one_that_was_not(
    fitted, tmp_path, name, ndim
):
    whole = fit(fitted, name, ndim)
    if not whole.exact_resume:
        pytest.skip(f"{name} resumes its weights, not its optimizer: see the next test")
    second = stop_and_resume(tmp_path, name, ndim)
    assert second.history.epochs == whole.history.epochs
    for a, b in zip(weights_of(whole), weights_of(second), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (
        whole.other_weights.keys()
        == second.other_weights.keys()
        == {"best", "last"} - {whole.settings.checkpoint}
    )
    for kept in whole.other_weights:
        for a, b in zip(whole.other_weights[kept], second.other_weights[kept], strict=True):
            np.testing.assert_array_equal(a, b)


ADAPTERS = [(name, ndim) for name, ndim in TRAINED if ROWS[name].built_on]


@pytest.mark.parametrize(("name", "ndim"), ADAPTERS)
def test_an_adapter_keeps_to_its_seed_and_resumes_its_weights(fitted, tmp_path, name, ndim):
    whole, again = fit(fitted, name, ndim), tiny(name)
    if whole.exact_resume:
        pytest.skip(f"{name} resumes exactly: see the test above")
    again.fit(*data_sets(ndim, name), plan=training.TrainingPlan(seed=3))
    for a, b in zip(weights_of(whole), weights_of(again), strict=True):
        np.testing.assert_array_equal(a, b)
    second = stop_and_resume(tmp_path, name, ndim)
    assert [row["epoch"] for row in second.history.rows] == [2]
    assert second.history.steps == whole.history.steps
    assert second.history.rows[0]["val_loss"] <= whole.history.rows[0]["val_loss"] * 1.01


@pytest.mark.parametrize(("name", "ndim"), CASES)
def test_a_time_series_is_predicted_frame_by_frame(fitted, name, ndim):
    method, image = fit(fitted, name, ndim), make_sample(5, ndim).image
    movie = image.replace(pixels=np.stack([image.pixels, image.pixels]), axes="T" + image.axes)
    found, single = method.predict(movie).result, method.predict(image).result
    assert type(found) is type(single)
    if isinstance(found, Labels | ClassMap | Restored):
        assert found.image.axes == movie.axes
    for second, alone in zip(arrays_of(found, frame=1), arrays_of(single), strict=True):
        np.testing.assert_array_equal(second, alone)


@pytest.mark.parametrize(("name", "ndim"), CASES)
def test_wrong_axes_and_channels_are_refused_with_a_remedy(fitted, name, ndim):
    method, image = fit(fitted, name, ndim), make_sample(5, ndim).image
    other = (
        image.select(Z=0)
        if ndim == 3
        else image.replace(pixels=np.stack([image.pixels] * 3), axes="ZYX", spacing=None)
    )
    with pytest.raises(UserError, match="This model needs images with axes"):
        method.predict(other)
    colours = image.replace(
        pixels=np.stack([image.pixels, image.pixels // 2], axis=-1), axes=image.axes + "C"
    )
    with pytest.raises(UserError, match="channel"):
        method.predict(colours)


@pytest.mark.parametrize(("name", "ndim"), CASES)
def test_a_blank_image_gives_a_result(fitted, name, ndim):
    image = make_sample(5, ndim).image
    blank = image.replace(pixels=np.full_like(image.pixels, 7))
    result = fit(fitted, name, ndim).predict(blank).result
    assert all(np.isfinite(array).all() for array in arrays_of(result))


@pytest.mark.parametrize(("name", "ndim"), TRAINED)
def test_tiled_equals_untiled(fitted, name, ndim, monkeypatch):
    method = fit(fitted, name, ndim)
    rng, shape = np.random.default_rng(1), {2: (301, 223), 3: (17, 150, 131)}[ndim]
    image = Image(rng.normal(100, 20, shape).astype(np.float32), "ZYX"[-ndim:], SPACING[ndim])
    large, small = tuple(2 * s for s in shape), {2: (160, 128), 3: (16, 96, 96)}[ndim]
    if method.field.radius is not None:
        whole, tiled = (method.predict(image, raw=True, tile=tile) for tile in (large, small))
        assert_raw_close(tiled, whole, 1e-4)
        return
    # the field has no bound: tiles have a size of their own, whatever is asked for
    part = image.replace(pixels=image.pixels[tuple(slice(n // 3) for n in shape)])
    whole, tiled = (method.predict(part, raw=True, tile=tile) for tile in (large, None))
    assert_raw_close(tiled, whole, 0)
    if isinstance(whole.result, Classes):  # of the whole image: there are no tiles
        return
    found = []  # in tiles of another size it is nearly equal, and the user is told
    for size in (large, small):
        fix_tile(monkeypatch, size)
        found.append(method.predict(image, raw=True))
    whole, tiled = found
    if tiled.image is not None:
        assert restoration.psnr(tiled.image, whole.image) >= 40
    else:  # probabilities; labels are compared where a network has learned to find some
        assert np.abs(tiled.raw["maps"] - whole.raw["maps"]).mean() < 0.05
    assert "blended" in " ".join(tiled.warnings)
    assert "blended" not in " ".join(whole.warnings)


def fix_tile(monkeypatch: pytest.MonkeyPatch, size: tuple[int, ...]) -> None:
    """Give every method that has tiles of a size of their own another size."""

    def call(self, run, pixels, *, tile=None):
        return self.inner(run, pixels, tile=size)

    def forecast(self, shape, *, tile=None, frames=1):
        return self.inner.forecast(shape, tile=size, frames=frames)

    monkeypatch.setattr(FixedTile, "__call__", call)
    monkeypatch.setattr(FixedTile, "forecast", forecast)


@pytest.mark.parametrize("name", [r.name for r in methods.ROWS if r.trained])
def test_the_table_states_the_size_of_the_default_network(name):
    method = methods.get(name)()
    if hasattr(method, "build"):
        assert method.build().count_params() == methods.row(name).parameters


@pytest.mark.parametrize("row", registry.ROWS, ids=lambda row: row.name)
def test_the_lesson_of_a_method_names_it(row):
    if row.lesson:  # imported models have none
        source = NOTEBOOKS / "src" / f"{Path(row.lesson).stem}.py"
        text = source.read_text("utf-8")
        assert f"`{row.name}`" in text or f'"{row.name}"' in text or f" {row.name} " in text


def test_images_without_labels_are_refused_with_a_remedy():
    bare = data.DataSet.of([dataclasses.replace(make_sample(0, 2), label=None)])
    with pytest.raises(UserError, match="This method learns from labels"):
        tiny("fast_nuclei").fit(bare)


def test_an_unknown_method_or_model_names_what_is_known(tmp_path):
    with pytest.raises(UserError, match="Known: otsu"):
        methods.get("no_such_method")
    with pytest.raises(UserError, match="Shipped weights: "):
        methods.load(tmp_path / "nothing")
    (tmp_path / "model.json").write_text("{not json")
    with pytest.raises(UserError, match="model.json must be a valid JSON file"):
        methods.load(tmp_path)


def stop_and_resume(folder: Path, name: str, ndim: int) -> methods.Method:
    """Train for an epoch, and on from there in a new object."""
    first = tiny(name)
    first.fit(
        *data_sets(ndim, name),
        plan=training.TrainingPlan(seed=3, folder=folder, callbacks=(StopAfter(1),)),
    )
    assert first.history.epochs == 1
    assert first.history.stopped == "user"
    second = tiny(name)
    second.fit(
        *data_sets(ndim, name), plan=training.TrainingPlan(seed=3, folder=folder, resume=True)
    )
    return second


class StopAfter:
    """A callback that asks for the end after some epochs."""

    def __init__(self, epochs: int):
        self.epochs, self.done = epochs, 0

    def on_epoch(self, epoch: int, logs: dict) -> None:
        self.done = epoch

    def wants_stop(self) -> bool:
        return self.done >= self.epochs


def weights_of(method: methods.Method) -> list[np.ndarray]:
    return [np.asarray(w) for w in method.model.weights]
