"""Methods for few labels: what of the truth they see, encoders that start other networks, and ways
that are no methods.
"""

import json

import numpy as np
import pytest
from small import data_sets, make_sample

from nbtools import data, losses, methods, training
from nbtools.geometry import centroids
from nbtools.methods.registry import routes
from nbtools.training.examples import boxes_of_labels

TINY = {"preset": "tiny", "epochs": 1, "steps_per_epoch": 2, "batch_size": 2, "patch_size": 32}
SYSTEMS = (  # as the review calls them
    *("augmentation (batchgenerators)", "simulation (CytoPacq)", "partial labels"),
    *("active learning", "transfer learning", "points (Qu 2020)", "boxes (Zhao 2018)"),
    *("GAN (SpCycleGAN), pix2pix", "jigsaw (and masked, magnification)", "mean teacher"),
    *("DenoiSeg", "VoidSeg"),
)
pytestmark = pytest.mark.usefixtures("step_by_step")


@pytest.mark.parametrize(
    ("name", "kind"), [("point_supervised", "centres"), ("box_supervised", "boxes")]
)
def test_labels_are_used_by_their_points_or_boxes_alone(name, kind):
    """Trained on labels, or on the points or boxes that follow from them: the same weights."""
    samples = [make_sample(2 * i, 2) for i in range(3)]
    bare = {"label": None, "centres": None, "boxes": None}
    truth = {"centres": centroids, "boxes": boxes_of_labels}[kind]
    with_labels = [s.replace(**bare | {"label": s.label}) for s in samples]
    without = [s.replace(**bare | {kind: truth(s.label.pixels)}) for s in samples]
    found = []
    for given in (with_labels, without):
        method = methods.get(name)(**TINY)
        method.fit(data.DataSet.of(given), plan=training.TrainingPlan(seed=4))
        found.append([np.asarray(w) for w in method.model.weights])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["jigsaw", "masked_image"])
def test_a_pretrained_encoder_starts_a_segmenter(name):
    train, _ = data_sets(2)
    first = methods.get(name)(**TINY)
    first.fit(train, plan=training.TrainingPlan(seed=1))
    second = methods.get("border_unet")(**TINY)
    second.start_from(first, parts="encoder")
    second.fit(train, plan=training.TrainingPlan(seed=2))
    assert second.origin["layers"] == second.origin["of"] > 0


def test_every_way_through_few_labels_is_told(run):
    rows = json.loads(run("methods", "--json")[1])
    told = "; ".join(row["system"] for row in rows).lower()
    assert [name for name in SYSTEMS if name.lower() not in told] == []
    assert len({row["name"] for row in rows}) == len(rows)
    for one in routes.ROUTES:
        code, out, _ = run("methods", one.name)
        assert (code, one.command in out) == (0, True)


def test_the_table_says_which_images_without_labels_are_welcome():
    for row in methods.ROWS:
        assert row.welcomes == methods.get(row.name).welcomes, row.name


def test_only_images_with_labels_are_kept_apart():
    samples = [make_sample(i, 2).replace(name=f"image{i}") for i in range(12)]
    mixed = data.DataSet.of([*samples[:4], *(s.replace(label=None) for s in samples[4:])])
    among = mixed.which_have("labels")
    train, val = mixed.split(val=0.25, seed=0, among=among)
    assert len(val) == 1
    assert val.which_have("labels").all()
    assert len(train) == 11
    assert not set(train.names) & set(val.names)


def test_a_forgiving_loss_gives_way_to_a_label_that_is_improbable():
    """(1 - p^q) / q, by hand, and the cross-entropy for q = 0."""
    truth = np.array([[[1.0, 0.0, 1.0]]], np.float32)
    output = np.array([[[-4.0, 4.0]]], np.float32)
    p = 1 / (1 + np.exp(8.0))
    strict, forgiving = losses.forgiving_cross_entropy(0.0), losses.forgiving_cross_entropy(0.7)
    assert float(strict(truth, output)[0]) == pytest.approx(-np.log(p), rel=1e-4)
    assert float(forgiving(truth, output)[0]) == pytest.approx((1 - p**0.7) / 0.7, rel=1e-4)
    nearly = losses.forgiving_cross_entropy(1e-3)
    sure = np.array([[[1.0, -1.0]]], np.float32)
    assert float(nearly(truth, sure)[0]) == pytest.approx(float(strict(truth, sure)[0]), rel=1e-2)


def test_a_forgiving_loss_leaves_out_what_is_not_labelled():
    truth = np.zeros((1, 4, 3), np.float32)
    truth[..., -1] = 1
    assert float(losses.forgiving_cross_entropy(0.7)(truth, np.ones((1, 4, 2)))[0]) == 0
