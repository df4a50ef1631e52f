"""The examples of every docstring run, and print what they say."""

import doctest
import importlib

import pytest
from source_code import PACKAGE, find_modules

NAMES = [
    ".".join(("nbtools", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )
    for path in find_modules()
    if path.name != "__main__.py"
]


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples of {name}"
