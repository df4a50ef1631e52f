"""Every notebook, from top to bottom, by nbmake, in a folder of its own: as "Run all" does for a
learner.
"""

import os
from pathlib import Path

import nbformat
import pytest
from nbmake.nb_run import NotebookRun

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = [
    path
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    if path.stem != "glossary"  # to be read, not run
]


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda p: p.stem)
def executed(request, tmp_path_factory):
    """A notebook with its outputs, of a smoke run; executed away from the clone, so that it needs
    nothing from there.
    """
    path = tmp_path_factory.mktemp("lesson") / request.param.name
    path.write_bytes(request.param.read_bytes())
    before = os.environ.get("NBTOOLS_FAST")
    os.environ["NBTOOLS_FAST"] = str(ROOT / "tests" / "fast.toml")
    try:
        result = NotebookRun(path, 600).execute()
    finally:
        os.environ.pop("NBTOOLS_FAST") if before is None else os.environ.update(NBTOOLS_FAST=before)
    return path, result


def test_it_runs_from_top_to_bottom(executed):
    _, result = executed
    assert result.error is None, f"{result.error.summary}\n{result.error.trace}"


def test_it_shows_figures_and_no_warnings(executed):
    _, result = executed
    notebook = nbformat.from_dict(result.nb)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert sum("image/png" in o.get("data", {}) for o in outputs) >= 3
    told = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stderr")
    assert "Warning" not in told, told


def test_it_leaves_a_report_where_it_writes_one(executed):
    path, _ = executed
    written = list((path.parent / "runs").rglob("report.html")) != []
    assert written == ("report.write" in path.read_text("utf-8"))
