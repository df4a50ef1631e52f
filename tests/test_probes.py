"""Every kind of result, from the command line: trained, written, scored, compared and shown."""

import json

import matplotlib.pyplot as plt
import numpy as np
import probes
import pytest
from small import TINY, data_sets

from nbtools import data, methods, show, tasks
from nbtools.methods import registry

pytestmark = pytest.mark.usefixtures("step_by_step")


@pytest.fixture(autouse=True)
def known_probes(monkeypatch):
    monkeypatch.setattr(registry, "ROWS", (*registry.ROWS, *probes.ROWS))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("row", probes.ROWS, ids=lambda row: row.name)
def test_a_kind_of_result_goes_from_training_to_a_figure(run, tmp_path, row, ndim):
    train, val = data_sets(ndim, row.name)
    data.write_dataset(train, tmp_path / "train")
    data.write_dataset(val, tmp_path / "val")
    known = {d.name for d in methods.get(row.name).Settings.declarations()}
    settings = [f"{name}={value}" for name, value in TINY.items() if name in known]
    code, out, err = run(
        "train",
        row.name,
        tmp_path / "train",
        "--val",
        tmp_path / "val",
        *("--out", tmp_path / "model"),
        *("--set", *settings),
        "--json",
    )
    assert code == 0, err
    assert np.isfinite(json.loads(out)["best"]["val_loss"])
    code, _, err = run("predict", tmp_path / "model", tmp_path / "val", "--out", tmp_path / "found")
    assert code == 0, err
    scoring = ("--task", row.task, "--json")
    code, out, err = run("evaluate", tmp_path / "found", tmp_path / "val", *scoring)
    assert code == 0, err
    scores = json.loads(out)
    assert scores["task"] == row.task
    run("predict", tmp_path / "model", tmp_path / "val", "--out", tmp_path / "again")
    both = (tmp_path / "found", tmp_path / "again")
    code, out, err = run("compare", *both, "--truth", tmp_path / "val", *scoring)
    assert code == 0, err
    told = json.loads(out)
    assert tasks.get(row.task).headline in told["metrics"]
    assert told["scores"]["found"] == told["scores"]["again"]
    figure = show.evaluation({row.name: scores})
    assert figure.get_axes()
    plt.close(figure)
