"""Several data sets learned from as one: names, files, shares, and a training that can be rerun."""

import argparse
import json

import numpy as np
import pytest

from nbtools import data, simulate
from nbtools.cli import train as train_command
from nbtools.errors import UserError


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Two data sets of three and of one image, the second in 16 bit with a spacing of its own."""
    folder = tmp_path_factory.mktemp("joined")
    for name, count, changes in (("a", 3, {"bits": 8}), ("b", 1, {"spacing_um": (0.25, 0.25)})):
        about = {"shape_px": (64, 64), "count": 4, "radius_um": (3.0,), **changes}
        made = simulate.make("nuclei2d", count=count, seed=7, settings=about)
        data.write_dataset(made, folder / name)
    return folder


def open_both(places, **how):
    return data.join([data.DataSet.open(places / name) for name in "ab"], **how)


def test_joined_sets_keep_their_images_labels_and_pixel_sizes(places):
    both = open_both(places)
    assert [sample.label.pixels.max() > 0 for sample in both] == [True] * 4
    assert [sample.image.spacing for sample in both] == [(0.5, 0.5)] * 3 + [(0.25, 0.25)]


def test_images_of_one_name_in_two_sets_get_names_of_their_own(places):
    assert open_both(places).names[-1] == "nuclei2d_000_2"


def test_the_files_of_all_sets_are_told(places):
    apart = [file for name in "ab" for file in data.DataSet.open(places / name).files()]
    assert open_both(places).files() == sorted(apart)


def test_a_set_is_drawn_as_often_as_its_share_whatever_its_number_of_images(places):
    weights = open_both(places, shares=(1, 3)).balance(np.array([2.0, 1.0, 1.0, 5.0]))
    assert weights.tolist() == [0.5, 0.25, 0.25, 3.0]


def test_without_shares_each_image_is_drawn_as_in_its_own_set(places):
    assert open_both(places).balance(np.arange(4.0)).tolist() == [0, 1, 2, 3]


def test_parts_of_joined_sets_keep_the_shares(places):
    parts = open_both(places, shares=(1, 3)).subset([0, 3])
    assert parts.balance(np.ones(2)).tolist() == [1.0, 3.0]


@pytest.mark.parametrize("shares", [(1,), (1, 2, 3), (1, 0)])
def test_another_number_of_shares_or_one_of_nothing_is_refused(places, shares):
    with pytest.raises(UserError, match="share above 0"):
        open_both(places, shares=shares)


def test_each_set_gives_a_part_to_choose_by(places):
    words = ["flows", str(places / "a"), str(places / "a"), "--out", "m", "--quiet"]
    args = train_command.COMMAND.parse(words)
    assert isinstance(args, argparse.Namespace)
    train, val = train_command.open_training(args)
    assert (len(train), len(val)) == (4, 2)


def test_a_training_on_two_sets_is_rerun_from_its_recipe_bit_for_bit(run, places, tmp_path):
    settings = ["preset=tiny", "epochs=1", "steps_per_epoch=2", "batch_size=1", "patch_size=32"]
    sets = [places / "a", places / "b", "--share", "1,3", "--val", places / "b"]
    words = ["train", "fast_nuclei", *sets, "--out", tmp_path / "m", "--set", *settings]
    assert run(*words)[0] == 0
    recipe = json.loads((tmp_path / "m" / "recipe.json").read_text("utf-8"))
    assert {f"{places}/a" in i["file"] for i in recipe["inputs"]} == {True, False}
    code, out, _ = run("rerun", tmp_path / "m", "--out", tmp_path / "again", "--json")
    assert code == 0
    assert json.loads(out)["same_weights"] is True


def test_shares_are_refused_by_a_method_that_does_not_draw_by_them(run, places, tmp_path):
    words = ["train", "otsu", places / "a", places / "b", "--share", "1,1"]
    code, _, err = run(*words, "--out", tmp_path / "m")
    assert code == 2
    assert "Leave --share out" in err
