"""Fixtures that several test files share."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


APART = (
    "test_methods.py",
    "test_notebooks.py",
)  # tests there share one method or notebook, elsewhere what is in their file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Where several processes share the work, what shares a fixture stays in one of them."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            if file.startswith("tests/browser/"):
                return "tests/browser"  # one server and one browser for all
            return f"{file}[{test.partition('[')[2]}" if file.endswith(APART) else file

    return Together(config, log)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def step_by_step() -> Iterator[None]:
    """Networks run without being compiled: for a few tiny steps that takes a fraction of the time.
    Lessons compile them.
    """
    tf = pytest.importorskip("tensorflow")
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of real data sets; a test that needs it is skipped where it is absent."""
    folder = Path(os.environ.get("NBTOOLS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("real images not found: set NBTOOLS_DATA to the folder that holds them")
    return folder


@pytest.fixture
def run(capsys):
    """Run a verb of the command line: (exit code, standard output, standard error)."""
    from nbtools import cli

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture(scope="session")
def nuclei(tmp_path_factory):
    """Folder of a data set of three small simulated images."""
    from nbtools import cli

    folder = tmp_path_factory.mktemp("simulated") / "nuclei"
    settings = ["--count", "3", "--seed", "3", "--set", "shape_px=96,96"]
    assert cli.main(["simulate", "nuclei2d", *settings, "--out", str(folder), "--quiet"]) == 0
    return folder
