"""Fixtures that several test files share."""

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the work, what shares a trained method, a notebook or a file's fixtures stays in one of them."""
    for item in items:
        known = getattr(item, "callspec", None)
        values = [known.params.get(k) for k in ("executed", "name", "ndim")] if known else []
        parts = [str(getattr(v, "stem", v)) for v in values if v is not None]
        apart = item.path.stem in ("test_methods", "test_notebooks")
        item.add_marker(pytest.mark.xdist_group("-".join([item.path.stem, *(parts if apart else ())])))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


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
