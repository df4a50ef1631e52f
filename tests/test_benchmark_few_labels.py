"""Ways through few labels (benchmarks/few_labels.py): what a case learns from, and its rows."""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from small import make_sample

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import few_labels

SHORT = "border_unet preset=tiny batch_size=2 patch_size=32"
CASES = (
    few_labels.Case("all labels", SHORT),
    few_labels.Case("10 labels alone", SHORT, labelled=2),
)


@pytest.fixture
def args(tmp_path, monkeypatch) -> argparse.Namespace:
    parts = {"train": range(4), "val": range(10, 13), "test": range(20, 22)}
    samples = {part: [make_sample(2 * i, 2) for i in numbers] for part, numbers in parts.items()}
    monkeypatch.setattr(few_labels, "read", lambda part, case, args: samples[part])
    monkeypatch.setattr(few_labels, "CASES", CASES)
    monkeypatch.setattr(few_labels, "JUDGES", 2)
    models = tmp_path / "models"
    models.mkdir()
    return argparse.Namespace(
        minutes=None, steps=6, images=None, seed=0, models=models, out=tmp_path
    )


def test_rows_are_kept_one_by_one_and_looked_at_once(args, monkeypatch):
    for case in CASES:
        few_labels.keep([few_labels.measure(case, args)], args)
    rows = few_labels.read_rows(args.out)
    assert [(r["name"], r["images"], r["labelled"]) for r in rows] == [
        ("all labels", 4, 4),
        ("10 labels alone", 2, 2),
    ]
    assert all(r["val"]["images"] == 1 and r["steps"] == 6 for r in rows)
    few_labels.look(args)
    few_labels.look(args)  # finds nothing left to look at
    rows = few_labels.read_rows(args.out)
    assert all(0 <= r["test"]["ap50"] <= 1 for r in rows)
    looks = list(csv.DictReader((args.out / "looks.csv").open(encoding="utf-8")))
    assert [r["weights"] for r in looks] == [f"few labels: {c.name}" for c in CASES]
    table = (args.out / "few_labels.md").read_text("utf-8")
    assert f"{rows[0]['test']['ap50']:.3f}" in table
    json.loads((args.out / "few_labels.json").read_text("utf-8"))


def test_labels_are_hidden_spoilt_or_left_out():
    samples = [make_sample(2 * i, 2) for i in range(40)]
    rng = np.random.default_rng(0)
    half = few_labels.choose(few_labels.Case("", "", labels="half"), samples, rng=rng)
    assert all(len(np.unique(s.label.pixels[s.label.pixels > 0])) == 1 for s in half)
    wrong = few_labels.choose(few_labels.Case("", "", labels="wrong"), samples, rng=rng)
    changed = [
        (a.label.pixels != b.label.pixels).any() for a, b in zip(samples, wrong, strict=True)
    ]
    assert 0.15 < np.mean(changed) < 0.6  # a fifth of the nuclei, two in each image
    few = few_labels.choose(few_labels.Case("", "", labelled=10), samples, rng=rng)
    assert len(few) == 10
    case = few_labels.Case("", "", labelled=10, others=True)
    mixed = few_labels.choose(case, samples, rng=rng)
    assert (len(mixed), sum(s.label is not None for s in mixed)) == (40, 10)


def test_every_case_can_be_found_and_names_what_it_begins_with():
    names = [case.name for case in few_labels.CASES]
    assert len(names) == len(set(names))
    for case in few_labels.CASES:
        assert case.begin is None or names.index(case.begin) < names.index(case.name)
        few_labels.make(case.words)
