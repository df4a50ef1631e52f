"""Docstrings: every example runs, and every public function describes its parameters."""

import ast
import doctest
import importlib
import itertools

import pytest
from source_code import PACKAGE, find_functions, find_modules, find_room, refuse, say

NAMES = [
    ".".join(("nbtools", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )
    for path in find_modules()
    if path.name != "__main__.py"
]
WITHOUT_SECTIONS = ()  # rooms whose docstrings are still to be rewritten


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write files
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples of {name}"


def test_public_functions_describe_their_parameters():
    problems = []
    for path in find_modules():
        private = path.name.startswith("_") and path.name != "__init__.py"
        if private or find_room(path) in WITHOUT_SECTIONS:
            continue
        for function, public in find_functions(path):
            if public and not function.name.startswith("_") and (text := _find_fault(function)):
                problems.append(say(path, function.lineno, f"{function.name}: {text}"))
    refuse(problems)


def _find_fault(function: ast.FunctionDef) -> str:
    """What the docstring lacks, "" where it is complete."""
    lines = (ast.get_docstring(function) or "").splitlines()
    if len(lines) > 1 and lines[1]:
        return "the summary fits on one line, and an empty line follows."
    sections = {a for a, b in itertools.pairwise(lines) if b and set(b) == {"-"}}
    named = function.args
    parameters = [a.arg for a in (*named.posonlyargs, *named.args, *named.kwonlyargs)]
    takes = {*parameters, *(a.arg for a in (named.vararg, named.kwarg) if a)} - {"self", "cls"}
    if takes and len(lines) != 1 and "Parameters" not in sections:
        return "a section Parameters, or one line where that says it all."
    return ""
