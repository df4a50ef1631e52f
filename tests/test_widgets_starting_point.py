"""Twin of starting_point: shipped weights to begin with, or any method from nothing."""

import numpy as np
import pytest

from nbtools import data, methods, widgets
from nbtools.config import environment
from nbtools.runtime import set_environment
from nbtools.widgets.starting_point import NOTHING, list_methods


@pytest.fixture(scope="module")
def train():
    return data.samples("simulated2d")[:2]


def test_without_a_click_training_begins_with_nuclei2d(train):
    start = widgets.pick_start(train)
    assert (start.value, start.method.value, start.method.disabled) == ("nuclei2d", "flows", True)
    model, shipped = start.make(), methods.load("nuclei2d")
    assert model.origin["model"] == "nuclei2d"
    assert len(model.origin["sha256"]) == 64
    assert model.settings.preset == shipped.settings.preset
    assert model.settings.learning_rate < shipped.settings.learning_rate


def test_other_weights_bring_their_method(train):
    start = widgets.pick_start(train, weights="nuclei2d_small")
    assert start.method.value == "fast_nuclei"
    start.weights.value = "nuclei2d_flows"
    assert start.make().name == "flows"
    assert "nuclei3d" not in start.weights.options


def test_from_nothing_any_method_can_be_chosen(train):
    start = widgets.pick_start(train)
    start.weights.value = NOTHING
    assert not start.method.disabled
    start.method.value = "unet"
    start.form.fields["epochs"].value = "3"
    model = start.make()
    assert (model.name, model.settings.epochs, model.origin) == ("unet", 3, None)


def test_methods_that_learn_labels_are_offered():
    flat, solid = list_methods(2), list_methods(3)
    assert {"flows", "fast_nuclei", "unet", "stardist"} <= set(flat)
    assert "otsu" not in flat
    assert "qcanet" in solid


def test_minutes_go_into_the_plan_but_not_of_a_smoke_run(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = environment("NBTOOLS_FAST")
    start = widgets.pick_start(train)
    start.minutes.value = 7.0
    model = start.make()
    try:
        set_environment(NBTOOLS_FAST=None)
        plan = start.plan("run", model, train=train, val=train[:0])
        assert (plan.minutes, plan.folder.name) == (7.0, "run")
        fast = tmp_path / "fast.toml"
        fast.write_text("[default]\nepochs = 1\n")
        set_environment(NBTOOLS_FAST=str(fast))
        assert start.plan("run", model, train=train).minutes is None
    finally:
        set_environment(NBTOOLS_FAST=before)


def test_weights_are_really_those_it_begins_with(train):
    model = widgets.pick_start(train, weights="nuclei2d_small").make()
    source = methods.load("nuclei2d_small")
    for ours, theirs in zip(model.source.model.weights, source.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
