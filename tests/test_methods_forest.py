"""The random forest on pixels: its features and trees against the libraries they replace, and what
it makes of scribbles.
"""

import numpy as np
import pytest
from scipy import ndimage

from nbtools import data, methods, normalize, simulate
from nbtools.errors import UserError
from nbtools.geometry import equivalent_diameters
from nbtools.image import Image
from nbtools.methods import decision_trees, pixel_features
from nbtools.metrics import semantic


def scribble(sample: data.Sample, *, share: float = 0.01, seed: int = 0) -> data.Sample:
    return sample.replace(
        label=simulate.draw_strokes(sample.label, share=share, rng=np.random.default_rng(seed))
    )


def measure_iou(label: Image, found: Image) -> float:
    return semantic.evaluate([("image", label, found)])["iou"]


def cut_columns(sample: data.Sample, part: slice) -> data.Sample:
    return sample.replace(
        **{
            kind: (image := getattr(sample, kind)).replace(pixels=image.pixels[:, part])
            for kind in ("image", "label")
        }
    )


@pytest.fixture(scope="module")
def simulated() -> data.DataSet:
    return simulate.make(
        "nuclei2d", count=2, seed=5, settings={"shape_px": (128, 128), "count": 12}
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_curvatures_are_the_eigenvalues_of_numpy(rng, ndim):
    matrices = rng.normal(size=(500, ndim, ndim)).astype(np.float32)
    matrices[:5] = 0
    matrices[5:10] = np.eye(ndim)
    matrices += matrices.swapaxes(1, 2)
    curves = {(a, b): matrices[:, a, b] for a in range(ndim) for b in range(a, ndim)}
    expected = np.linalg.eigvalsh(matrices.astype(np.float64))[:, ::-1]
    np.testing.assert_allclose(
        np.stack(pixel_features.find_curvatures(curves), axis=-1), expected, atol=2e-3
    )


def test_features_of_a_parabola_are_known():
    """Of y^2 + 3 x^2 the blur adds a constant, and the second derivatives are 2 and 6
    everywhere.
    """
    y, x = np.mgrid[-20:21, -20:21].astype(np.float32)
    found = pixel_features.compute_features((y**2 + 3 * x**2)[..., None], (1.0,))[:, 20, 20]
    np.testing.assert_allclose(found, [4, 0, 8, 6, 2], atol=0.05)


def test_features_of_a_coarse_volume_are_those_of_the_fine_one_at_its_planes():
    shape = (33, 24, 24)
    z, y, x = np.meshgrid(*(np.arange(n) - n / 2 for n in shape), indexing="ij")
    ball = 1 / (1 + np.exp(np.sqrt(z**2 + y**2 + x**2) - 7))
    fine = pixel_features.compute_features(ball[..., None], (3.0,))[:, ::2]
    coarse = pixel_features.compute_features(ball[::2, ..., None], (3.0,), spacing=(2.0, 1.0, 1.0))
    wrong = pixel_features.compute_features(ball[::2, ..., None], (3.0,))
    error, naive = (
        np.sqrt(((f - fine) ** 2).mean(axis=(1, 2, 3))) / fine.std(axis=(1, 2, 3))
        for f in (coarse, wrong)
    )
    assert (error < 0.12).all()
    assert (naive > 3 * error).all()


def test_trees_say_what_scikit_learn_says(rng):
    from sklearn.ensemble import RandomForestClassifier

    features = rng.normal(size=(800, 6)).astype(np.float32)
    nucleus = features[:, 0] + features[:, 1] ** 2 + rng.normal(0, 0.5, 800) > 0.5
    trees = decision_trees.grow(features, nucleus, trees=15, leaf=2, balanced=False, seed=4)
    theirs = RandomForestClassifier(
        15, min_samples_leaf=2, max_features="sqrt", random_state=4
    ).fit(features, nucleus)
    asked = np.concatenate([features, rng.normal(size=(3000, 6)).astype(np.float32)])
    np.testing.assert_allclose(trees.ask(asked.T), theirs.predict_proba(asked)[:, 1], atol=1e-6)


def test_damaged_trees_are_refused(tmp_path, rng):
    trees = decision_trees.grow(
        rng.normal(size=(90, 3)).astype(np.float32),
        np.arange(90) % 2 == 0,
        trees=2,
        leaf=1,
        balanced=True,
        seed=0,
    )
    trees.save(tmp_path)
    assert decision_trees.Trees.load(tmp_path, features=3).ask(
        np.zeros((3, 1), np.float32)
    ).shape == (1,)
    with pytest.raises(UserError, match="lead nowhere"):
        decision_trees.Trees.load(tmp_path, features=1)
    circle = {**vars(trees), "left": np.zeros_like(trees.left)}
    np.savez(tmp_path / "weights.npz", **circle)
    with pytest.raises(UserError, match="lead nowhere"):
        decision_trees.Trees.load(tmp_path, features=3)
    (tmp_path / "weights.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UserError, match="must be readable"):
        decision_trees.Trees.load(tmp_path, features=3)


def test_scribbles_on_one_hundredth_of_the_pixels_find_the_nuclei(simulated):
    sample = simulated[0]
    drawn = scribble(sample)
    assert (drawn.label.pixels >= 0).mean() == pytest.approx(0.01, abs=0.001)
    forest = methods.get("forest")()
    forest.fit(data.DataSet.of([drawn]))
    assert measure_iou(sample.label, forest.predict(sample.image).labels) > 0.8


def test_complete_labels_teach_too_and_choose_the_decoding():
    whole = simulate.make(
        "nuclei2d", count=1, seed=5, settings={"shape_px": (128, 256), "count": 24}
    )[0]
    train, val = (
        data.DataSet.of([cut_columns(whole, part)]) for part in (slice(0, 128), slice(128, 256))
    )
    forest = methods.get("forest")(pixels=4000)
    history = forest.fit(train, val)
    assert history.best["val_mean_ap"] > 0.3
    assert set(forest.tuned) == {"threshold", "split", "min_size"}
    assert forest.domain.nucleus_size == pytest.approx(
        np.median(equivalent_diameters(train[0].label.pixels))
    )
    assert measure_iou(val[0].label, forest.predict(val[0].image).labels) > 0.8


def test_the_same_seed_grows_the_same_trees(simulated):
    drawn = data.DataSet.of([scribble(s) for s in simulated])
    grown = [methods.get("forest")(pixels=200) for _ in range(2)]
    for forest in grown:
        forest.fit(drawn)
    for a, b in zip(vars(grown[0].trees).values(), vars(grown[1].trees).values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_volume_with_coarse_planes_is_learned_from_strokes_in_planes():
    sample = simulate.make("nuclei3d", count=1, seed=2, settings={"shape_px": (12, 64, 64)})[0]
    forest = methods.get("forest")(scales=(0.7, 1.6, 3.5), trees=30)
    forest.fit(data.DataSet.of([scribble(sample, share=0.02)]))
    assert measure_iou(sample.label, forest.predict(sample.image).labels) > 0.6


def test_tiles_change_nothing(simulated):
    forest = methods.get("forest")(scales=(0.7, 3.5), trees=5)
    forest.fit(data.DataSet.of([scribble(simulated[0])]))
    whole, tiled = (
        forest.predict(simulated[1].image, raw=True, tile=tile).raw["maps"]
        for tile in (None, (60, 50))
    )
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


def test_one_kind_of_stroke_is_not_enough(simulated):
    drawn = scribble(simulated[0])
    only = drawn.replace(
        label=drawn.label.replace(pixels=np.where(drawn.label.pixels > 0, drawn.label.pixels, -1))
    )
    with pytest.raises(UserError, match="strokes on nuclei only"):
        methods.get("forest")().fit(data.DataSet.of([only]))
    with pytest.raises(UserError, match="must learn before it predicts"):
        methods.get("forest")().predict(drawn.image)


def test_real_nuclei_are_found_from_scribbles(data_folder):
    found = data.DataSet.open(data_folder / "dsb2018_fluorescence" / "val").subset([3, 30, 60])
    scores = []
    for sample in found:
        forest = methods.get("forest")(trees=30)
        forest.fit(data.DataSet.of([scribble(sample)]))
        scores.append(measure_iou(sample.label, forest.predict(sample.image).labels))
    assert np.median(scores) >= 0.8


def test_strokes_agree_with_the_labels_and_keep_away_from_borders(rng):
    sample = data.samples("simulated2d")[0]
    drawn, truth = (
        simulate.draw_strokes(sample.label, share=0.02, rng=rng).pixels,
        sample.label.pixels,
    )
    marked = drawn >= 0
    np.testing.assert_array_equal(drawn[marked], truth[marked])
    assert (drawn > 0).sum() == pytest.approx((drawn == 0).sum(), rel=0.1)
    assert len(np.unique(drawn[drawn > 0])) > 5
    away = ndimage.distance_transform_edt(truth == 0)
    assert np.median(away[drawn == 0]) < np.median(
        away[truth == 0]
    )  # half of the background's strokes begin near nuclei
    again = simulate.draw_strokes(sample.label, share=0.02, rng=np.random.default_rng(0)).pixels
    np.testing.assert_array_equal(drawn, again)


def test_strokes_of_a_volume_lie_in_planes(rng):
    label = np.zeros((9, 40, 40), np.int32)
    label[2:7, 10:30, 10:30] = 4
    drawn = simulate.draw_strokes(Image(label, "ZYX"), share=0.004, rng=rng).pixels
    parts, count = ndimage.label(drawn > 0)
    assert count > 0
    assert all(len(np.unique(np.argwhere(parts == i)[:, 0])) <= 2 for i in range(1, count + 1))
    with pytest.raises(UserError, match="share of scribbled pixels"):
        simulate.draw_strokes(Image(label, "ZYX"), share=0.9, rng=rng)


def test_features_do_not_depend_on_brightness(simulated):
    pixels = simulated[0].image.to("YXC").pixels.astype(np.float32)
    plain, brighter = (normalize.by_percentiles(p).apply(p) for p in (pixels, 7 * pixels + 300))
    np.testing.assert_allclose(
        pixel_features.compute_features(plain, (1.0,)),
        pixel_features.compute_features(brighter, (1.0,)),
        atol=1e-3,
    )
