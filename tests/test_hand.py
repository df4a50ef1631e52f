"""How code is written: sizes of files and functions, parameters, types, docstrings and names."""

import ast

from source_code import (
    ROOT,
    find_code_lines,
    find_functions,
    find_modules,
    find_room,
    parse,
    refuse,
    say,
)

HOOKS = (
    "__init__",
    "targets",
)  # UserError(rule, received, remedy); KerasMethod.targets(rng, image, label)
MOST_COLUMNS, MOST_LINES, MOST_BODY, MOST_PARAMETERS, MOST_POSITIONAL = 100, 350, 41, 6, 2  # code


def test_files_and_functions_stay_small():
    problems = []
    written = [*(ROOT / "tests").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    for path in [*find_modules(), ROOT / "notebooks" / "build.py", *written]:
        lines = find_code_lines(path)
        if len(lines) > MOST_LINES:
            problems.append(say(path, len(lines), f"at most {MOST_LINES} lines of code a file."))
        for function, _ in find_functions(path):
            body = range(function.lineno, function.end_lineno + 1)
            length = sum(line in lines for line in body)
            if length > MOST_BODY:
                text = f"{function.name} has {length} lines of code; at most {MOST_BODY}."
                problems.append(say(path, function.lineno, text))
    refuse(problems)


def test_no_line_is_wider_than_the_page():
    problems = []
    for path in find_modules():
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if len(line.encode()) > MOST_COLUMNS:  # editors that count bytes agree, too
                problems.append(say(path, number, f"at most {MOST_COLUMNS} columns."))
    refuse(problems)


def test_functions_take_few_parameters_and_name_them():
    problems = []
    for path in find_modules():
        for function, public in find_functions(path):
            positional = [
                a.arg
                for a in (*function.args.posonlyargs, *function.args.args)
                if a.arg not in ("self", "cls")
            ]
            if len(positional) + len(function.args.kwonlyargs) > MOST_PARAMETERS:
                problems.append(
                    say(
                        path,
                        function.lineno,
                        f"{function.name}: at most {MOST_PARAMETERS} parameters.",
                    )
                )
            if public and len(positional) > MOST_POSITIONAL and function.name not in HOOKS:
                problems.append(
                    say(
                        path,
                        function.lineno,
                        f"{function.name}: keyword-only after the second parameter.",
                    )
                )
    refuse(problems)


def test_every_argument_has_a_type():
    problems = []
    for path in find_modules():
        for function, _ in find_functions(path):
            untyped = [
                a.arg
                for a in (
                    *function.args.posonlyargs,
                    *function.args.args,
                    *function.args.kwonlyargs,
                )
                if a.annotation is None
                and a.arg not in ("self", "cls")
                and not a.arg.startswith("_")
            ]
            if untyped and not _is_hook(function):
                problems.append(
                    say(path, function.lineno, f"{function.name}: type of {', '.join(untyped)}?")
                )
    refuse(problems)


def _is_hook(function: ast.FunctionDef) -> bool:
    """Signatures that Python itself fixes."""
    return function.name in ("__exit__", "__eq__", "__getattr__", "__getitem__", "__setattr__")


def test_modules_and_public_functions_say_what_they_are():
    problems = [
        say(p, 1, "a docstring opens every module.")
        for p in find_modules()
        if p.read_text("utf-8").strip() and not ast.get_docstring(parse(p))
    ]
    for path in find_modules():
        for node in parse(path).body:
            named = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith(
                "_"
            )
            explained = find_room(path) == "cli" or (
                isinstance(node, ast.ClassDef) and find_room(path) == "methods"
            )  # by help; by the module
            if named and not explained and not ast.get_docstring(node):
                problems.append(
                    say(path, node.lineno, f"{node.name}: a docstring, one line at least.")
                )
    refuse(problems)


def test_arrays_have_names():
    problems = []
    for path in find_modules():
        for node in ast.walk(parse(path)):
            name = (
                node.id
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                else node.arg
                if isinstance(node, ast.arg)
                else ""
            )
            if name in ("X", "Y"):
                problems.append(
                    say(path, node.lineno, f"an array is image, label or patch, not {name}.")
                )
    refuse(problems)
