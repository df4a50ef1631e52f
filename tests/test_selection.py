"""Thresholds and checkpoints are chosen on validation images; the images of the test are out of
reach of every choice.
"""

import argparse
import ast

import pytest
from source_code import PACKAGE, find_imports, find_modules, parse

from nbtools import cli
from nbtools.cli import train as train_command

ALLOWED = {"self", "train", "val", "plan"}


def test_fit_takes_training_and_validation_images_and_no_others():
    fits = [
        (path, node)
        for path in (PACKAGE / "methods").rglob("*.py")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef) and node.name == "fit"
    ]
    assert fits
    for path, node in fits:
        names = {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
        assert names <= ALLOWED, f"{path.name}: fit takes {names - ALLOWED}."


def test_what_chooses_values_opens_no_files():
    rooms = {
        name.split(".")[1]
        for _, name in find_imports(PACKAGE / "training" / "threshold_search.py")
        if name.startswith("nbtools.")
    }
    assert not rooms


def test_chosen_values_are_written_only_where_models_are_trained_or_loaded():
    for path in find_modules():
        if path.is_relative_to(PACKAGE / "methods"):
            continue
        for node in ast.walk(parse(path)):
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AugAssign)
                else []
            )
            assert not any(isinstance(t, ast.Attribute) and t.attr == "tuned" for t in targets), (
                f"{path}: line {node.lineno} chooses."
            )


def test_metrics_choose_nothing_and_no_verb_that_judges_takes_a_threshold():
    for verb in ("evaluate", "compare"):
        parser = argparse.ArgumentParser()
        cli.COMMANDS[verb].declare(parser)
        names = {option for action in parser._actions for option in action.option_strings}
        assert not {"--threshold", "--set", "--iou"} & names


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "val", "test")])
def test_a_folder_with_a_test_part_is_trained_without_opening_it(parts, run, tmp_path, monkeypatch):
    from nbtools import data

    for number, part in enumerate(parts):
        words = ["--count", 4, "--seed", number, "--set", "shape_px=32,32"]
        assert run("simulate", "nuclei2d", *words, "--out", tmp_path / "set" / part)[0] == 0
    opened = []
    read = data.reading.io.open_image
    monkeypatch.setattr(
        data.reading.io,
        "open_image",
        lambda path, **how: opened.append(str(path)) or read(path, **how),
    )
    parser = argparse.ArgumentParser()
    train_command.COMMAND.declare(parser)
    words = ["fast_nuclei", str(tmp_path / "set"), "--out", str(tmp_path / "model")]
    args = parser.parse_args(words, argparse.Namespace(seed=0, quiet=True))
    train, val = train_command.open_training(args)
    for sample in [*train, *(val or ())]:
        assert sample.label is not None
    assert val is not None
    assert opened
    assert not any(f"{tmp_path}/set/test" in path for path in opened)
