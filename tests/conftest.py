"""Fixtures that several test files share."""

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


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
