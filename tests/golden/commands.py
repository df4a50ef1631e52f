"""The command line: the options of every verb, and the documents of a small pipeline."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from pathlib import Path
from unittest import mock

from nbtools import cli

TRAIN = "preset=tiny epochs=1 steps_per_epoch=2 batch_size=2 patch_size=32 augmentation=flips"
TRAIN += " keep=last threshold=0.5 min_size=2 split=0.5"
PIPELINE = (  # name → words; what begins with a slash is a path in the folder
    ("simulate", "simulate nuclei2d --count 8 --seed 3 --set shape_px=64,64 --out /sim"),
    ("check", "check /sim --for fast_nuclei"),
    ("split", "split /sim --val 0.25 --test 0.25 --out /split"),
    ("train", f"train fast_nuclei /split --out /model --set {TRAIN}"),
    ("predict", "predict /model /split/test --out /result --raw"),
    ("decode", "decode /result --set threshold=0.4 --out /decoded"),
    ("predict_otsu", "predict otsu /split/test --out /classical"),
    ("measure", "measure /classical --images /split/test --texture --out /nuclei.csv"),
    ("evaluate", "evaluate /classical /split/test --task instances --save"),
    ("evaluate_semantic", "evaluate /classical /split/test --task semantic"),
    ("compare", "compare /result /classical --truth /split/test --out /compared"),
    ("report", "report /result"),
    ("export", "export /model --format keras --out /model.keras"),
    ("rerun", "rerun /model/recipe.json --out /again"),
    ("simulate_pairs", "simulate pairs --count 2 --seed 3 --set shape_px=64,64 --out /pairs"),
    ("predict_nlm", "predict nlm /pairs --out /restored"),
    ("evaluate_restoration", "evaluate /restored /pairs --task restoration"),
    ("methods", "methods"),
    ("method", "methods flows"),
    ("fetch", "fetch"),
    ("doctor", "doctor"),
)
FOUND = ("doctor",)  # whose values are this machine's: the keys alone are kept


def run(words: list[object]) -> tuple[int, object]:
    """Exit code and JSON document of a command, in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as told:
        code = cli.main([*map(str, words), "--json"])
    if code not in (0, 1):
        raise AssertionError(f"{words}: {told.getvalue()}")
    return code, json.loads(out.getvalue())


def run_all(folder: Path) -> dict:
    """Exit code and document of every command of the pipeline; paths begin with FOLDER."""
    found = {}
    for name, line in PIPELINE:
        words = [str(folder) + w if w.startswith("/") else w for w in line.split()]
        code, document = run(words)
        text = json.dumps(document, ensure_ascii=False).replace(str(folder), "FOLDER")
        document = json.loads(text)
        found[name] = {"code": code, "document": sorted(document) if name in FOUND else document}
    return found


def describe_options() -> dict:
    """Verb → option → what argparse knows of it."""
    verbs = next(a for a in find_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {
        verb: {name_option(a): describe_option(a) for a in parser._actions if a.dest != "help"}
        for verb, parser in verbs.choices.items()
    }


def find_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line: the one that reads an empty command."""
    seen, parse = [], argparse.ArgumentParser.parse_args

    def keep(self: argparse.ArgumentParser, *words, **rest) -> argparse.Namespace:
        seen.append(self)
        return parse(self, *words, **rest)

    watched = mock.patch.object(argparse.ArgumentParser, "parse_args", keep)
    with watched, contextlib.redirect_stdout(io.StringIO()):
        cli.main([])
    return seen[0]


def name_option(action: argparse.Action) -> str:
    return max(action.option_strings, key=len) if action.option_strings else f"<{action.metavar}>"


def describe_option(action: argparse.Action) -> dict:
    default = action.default
    plain = default if isinstance(default, (str, int, float, bool, list)) else None
    return {
        "metavar": action.metavar,
        "choices": None if action.choices is None else list(action.choices),
        "default": str(default) if isinstance(default, Path) else plain,
        "nargs": action.nargs,
        "required": action.required,
    }
