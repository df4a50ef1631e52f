"""The house rules, read from the source: who may import whom, how large things may be, how errors
speak.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from source_code import (
    PACKAGE,
    ROOT,
    calls,
    find_hint_lines,
    find_imports,
    find_modules,
    find_room,
    parse,
    refuse,
    say,
)

ORDER = (
    "wording",
    "errors",
    "documents",
    "config",
    "image",
    "runtime",
    "geometry",
    "brightness",
    "populations",
    "io",
    "data",
    "metrics",
    "checks",
    "normalize",
    "noise",
    "patches",
    "pasting",
    "augment",
    "simulate",
    "measure",
    "by_hand",
    "results",
    "targets",
    "tasks",
    "tracking",
    "plausibility",
    "nets",
    "losses",
    "training",
    "inference",
    "methods",
    "show",
    "report",
    "export",
    "widgets",
    "lesson_page",
    "course",
    "cli",
    "__main__",
)
ONLY_IN = {
    "keras": {"nets", "losses", "training", "inference", "methods", "export"},
    "tensorflow": {"export"},
    "ipywidgets": {"widgets"},
    "anywidget": {"widgets"},
    "google": {"runtime", "config"},
    "matplotlib": {"show"},
    "mpl_toolkits": {"show"},
    "tifffile": {"io"},
    "csbdeep": {"methods"},
    "stardist": {"methods"},
    "IPython": {"show", "widgets"},
    "nbclient": {"course"},
    "nbformat": {"course", "lesson_page"},
    "jinja2": {"report", "course", "lesson_page"},
    "roifile": {"export", "io"},
    "numba": {"targets"},
    "pydantic": {"documents"},
    "defusedxml": {"documents"},
    "tomllib": {"documents"},
}
BEYOND = {("nets/cpu_optimize.py", "tensorflow")}  # gradients that Keras has no word for
MAY_PRINT = {"show", "runtime", "config", "cli"}
MAY_READ_ENVIRONMENT = {"runtime", "config"}
LIBRARY_ERRORS = {
    "ValueError",
    "TypeError",
    "RuntimeError",
    "KeyError",
    "IndexError",
    "Exception",
    "AssertionError",
    "OSError",
    "IOError",
}
TASKS = ("denoise", "segment", "detect", "classify", "pretrain", "translate")
NOT_IN_REQUIREMENTS = {
    "tensorflow",
    "google",
    "IPython",
    "traitlets",
    "pydantic_core",
    "mpl_toolkits",
}  # from the platform, ipywidgets, pydantic, matplotlib
IMPORT_NAMES = {"scikit-image": "skimage", "scikit-learn": "sklearn", "pillow": "PIL"}
PARTED = (  # in two, so that this file does not name them
    ("/work", "/"),
    ("shared", "/"),
    ("pypi", ".org"),
    ("python", "hosted"),
    ("/opt/", "pypi"),
    ("npm", "js.org"),
    ("/root", "/"),
    (".lib", "rary/"),
)


def test_every_module_belongs_to_a_room():
    rooms = {find_room(p) for p in find_modules()} - {"__init__"}
    assert rooms <= set(ORDER), (
        f"Unknown rooms: {rooms - set(ORDER)}. Add them to ORDER, at their place."
    )


def test_rooms_import_only_to_their_left():
    problems = []
    for path in find_modules():
        room, hints = find_room(path), find_hint_lines(path)
        for line, name in find_imports(path):
            if line in hints:
                continue
            other = name.split(".")[1] if name.startswith("nbtools.") else None
            if room in ORDER and other in ORDER and ORDER.index(other) > ORDER.index(room):
                problems.append(
                    say(path, line, f"{room} may not import {other}, which stands to its right.")
                )
    refuse(problems)


def test_libraries_are_used_only_in_their_room():
    problems = []
    for path in find_modules():
        for line, name in find_imports(path):
            allowed = ONLY_IN.get(name.split(".")[0])
            if (
                allowed is not None
                and find_room(path) not in allowed
                and ("/".join(path.parts[-2:]), name.split(".")[0]) not in BEYOND
            ):
                problems.append(
                    say(path, line, f"{name} may be imported only in {', '.join(sorted(allowed))}.")
                )
    refuse(problems)


def test_borrowed_packages_are_used_by_their_public_names():
    problems = []
    for path in find_modules():
        for line, name in find_imports(path):
            if name.split(".")[0] in ("stardist", "csbdeep") and any(
                part.startswith("_") or part == "internals" for part in name.split(".")
            ):
                problems.append(say(path, line, f"{name} is internal to its package."))
    refuse(problems)


def test_a_method_never_imports_another_method():
    problems = []
    for path in (PACKAGE / "methods").rglob("*.py"):
        if path.name == "__init__.py":
            continue
        for line, name in find_imports(path):
            parts = name.split(".")
            if parts[:2] == ["nbtools", "methods"] and len(parts) > 2 and parts[2] in TASKS:
                problems.append(
                    say(
                        path,
                        line,
                        (
                            f"{name}: move what two methods share down, or get the other through "
                            "the "
                            "table."
                        ),
                    )
                )
    refuse(problems)


def test_nothing_asks_which_method_it_is():
    from nbtools import methods

    names, problems = set(methods.names()), []
    for path in find_modules():
        for node in (n for n in ast.walk(parse(path)) if isinstance(n, ast.Compare)):
            constants = [
                c.value
                for c in ast.walk(node)
                if isinstance(c, ast.Constant) and isinstance(c.value, str)
            ]
            if names & set(constants):
                problems.append(
                    say(
                        path,
                        node.lineno,
                        "no `if method == …`: put what differs into the method or its row.",
                    )
                )
    refuse(problems)


def test_importing_nbtools_loads_nothing_heavy():
    heavy = {"keras", "tensorflow", "matplotlib", "ipywidgets", "stardist", "skimage", "numba"}
    heavy |= {"pydantic"}
    code = f"import sys, nbtools; print(*sorted({heavy} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert loaded == []


def test_only_rooms_that_speak_to_a_person_print():
    problems = [
        say(p, c.lineno, "no print here: return a value, or raise.")
        for p in find_modules()
        if find_room(p) not in MAY_PRINT
        for c in calls(p, "print")
        if isinstance(c.func, ast.Name)
    ]
    refuse(problems)


def test_the_environment_is_read_in_one_place():
    problems = []
    for path in find_modules():
        if find_room(path) in MAY_READ_ENVIRONMENT:
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv"):
                problems.append(
                    say(path, node.lineno, "environment variables are read in config and runtime.")
                )
    refuse(problems)


def test_errors_are_rule_received_remedy():
    problems = []
    for path in find_modules():
        for call in calls(path, "UserError"):
            given = len(call.args) + sum(k.arg != "command" for k in call.keywords)
            if isinstance(call.func, ast.Name) and given != 3:
                problems.append(say(path, call.lineno, "UserError takes rule, received, remedy."))
            elif call.args and (end := _constant_end(call.args[0])) and not end.endswith("."):
                problems.append(
                    say(path, call.lineno, f"the rule is a sentence with its full stop: {end!r}")
                )
        for node in (
            n for n in ast.walk(parse(path)) if isinstance(n, ast.Raise) and n.exc is not None
        ):
            name = (
                node.exc.func.id
                if isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
                else getattr(node.exc, "id", "")
            )
            if name in LIBRARY_ERRORS:
                problems.append(
                    say(path, node.lineno, f"raise UserError, not {name}: rule, received, remedy.")
                )
    refuse(problems)


def _constant_end(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[-1]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_nothing_is_unpickled():
    problems = []
    for path in find_modules():
        problems += [
            say(path, line, "no pickles.")
            for line, name in find_imports(path)
            if name.split(".")[0] in ("pickle", "cloudpickle", "joblib", "dill")
        ]
        for call in calls(path, "load"):
            if any(
                k.arg == "allow_pickle" and getattr(k.value, "value", False) for k in call.keywords
            ):
                problems.append(say(path, call.lineno, "no pickles."))
    refuse(problems)


READERS = {  # what reads a stranger's file: called in one room alone, which knows what can go wrong
    ("json", "load"),
    ("json", "loads"),
    ("np", "load"),
    ("numpy", "load"),
    ("np", "fromfile"),
    ("pickle", "load"),
    ("ElementTree", "parse"),
    ("ElementTree", "fromstring"),
}


def test_documents_are_read_in_one_room():
    problems = []
    for path in find_modules():
        if find_room(path) == "documents":
            continue
        for node in (n for n in ast.walk(parse(path)) if isinstance(n, ast.Attribute)):
            if (getattr(node.value, "id", ""), node.attr) in READERS:
                text = f"{node.value.id}.{node.attr}: read it through nbtools.documents."
                problems.append(say(path, node.lineno, text))
            if node.attr == "extractall":
                problems.append(say(path, node.lineno, "extractall: unpack with io.unpack."))
    refuse(problems)


def test_every_library_is_in_the_requirements():
    listed = {
        re.split(r"[<>=!;\[ ]", line)[0]
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line and line[0] != "#"
    }
    known = (
        {IMPORT_NAMES.get(name, name) for name in listed}
        | set(sys.stdlib_module_names)
        | {"nbtools"}
        | NOT_IN_REQUIREMENTS
    )
    problems = []
    for path in find_modules():
        for line, name in find_imports(path):
            if name.split(".")[0] not in known and not _is_optional(path, line):
                problems.append(
                    say(path, line, f"{name.split('.')[0]} is not in requirements.txt.")
                )
    refuse(problems)


def _is_optional(path: Path, line: int) -> bool:
    """An import inside `try` may fail."""
    tries = (n for n in ast.walk(parse(path)) if isinstance(n, ast.Try))
    return any(n.lineno <= line <= n.end_lineno for n in tries)


def test_every_room_has_a_twin_in_the_tests():
    rooms = {find_room(p) for p in find_modules()} - {"__init__"}
    missing = sorted(r for r in rooms if not list((ROOT / "tests").glob(f"test_{r}*.py")))
    assert not missing, f"No tests/test_ROOM.py for: {', '.join(missing)}."


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_the_repository_names_no_machine():
    words = [
        "/work" + "/",
        "shared" + "/",
        "pypi." + "org",
        "python" + "hosted",
        "/opt/" + "pypi",
        "npm" + "js.org",
        "/root" + "/",
        ".lib" + "rary/",
    ]
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.splitlines()
    problems = []
    for name in tracked:
        path = ROOT / name
        if (
            name == "tests/conftest.py"
            or not path.is_file()
            or path.suffix in (".tif", ".png", ".npz", ".jpg", ".zip")
        ):
            continue
        text = path.read_text("utf-8", errors="ignore")
        problems += [
            f"{name}: names {word!r}, which only exists where it was written."
            for word in words
            if word in text
        ]
    refuse(problems)
