"""Results are paired with their truth by order, whatever form they have."""

import numpy as np
import pytest

from nbtools import data, metrics
from nbtools.methods import Prediction
from nbtools.results import Labels


@pytest.fixture(scope="module")
def samples():
    return data.samples("simulated2d").subset([0, 1])


def test_one_label_image_is_one_pair(samples):
    label = samples[0].label
    [(name, truth, found)] = metrics.pair_results(label, label.pixels)
    assert (name, truth, found) == ("image", label, label.pixels)


def test_samples_are_paired_in_order_and_an_image_without_a_prediction_is_missing(samples):
    pairs = metrics.pair_results(samples, [samples[0].label, None])
    assert [name for name, _, _ in pairs] == [s.name for s in samples]
    assert pairs[1][2] is None
    assert metrics.instances.evaluate(pairs)["missing"] == [samples[1].name]


def test_predictions_give_their_labels(samples):
    label = samples[0].label
    [(_, _, found), _] = metrics.pair_results(samples, [Prediction(Labels(label)), label])
    assert np.array_equal(found.pixels, label.pixels)


def test_too_few_results_are_refused(samples):
    with pytest.raises(ValueError, match="shorter"):
        metrics.pair_results(samples, [samples[0].label])


def test_each_result_is_scored_as_if_alone(samples):
    perfect = [s.label for s in samples]
    results = {"perfect": perfect, "half": [perfect[0], None]}
    scores = metrics.evaluate_each(samples, results)
    assert list(scores) == ["perfect", "half"]
    assert scores["half"] == metrics.instances.evaluate(
        metrics.pair_results(samples, results["half"])
    )
    assert scores["perfect"]["mean_ap"] == 1 > scores["half"]["mean_ap"]
