"""The source of nbtools as test_rules and test_hand read it: modules, rooms, imports, functions."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "nbtools"


def find_modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def find_room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def find_imports(path: Path) -> list[tuple[int, str]]:
    """(line, dotted name) of every import, inside functions too; `from nbtools import io` gives
    nbtools.io.
    """
    found = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def find_hint_lines(path: Path) -> set[int]:
    """Lines under `if TYPE_CHECKING:`, which never run."""
    tests = (
        n
        for n in ast.walk(parse(path))
        if isinstance(n, ast.If) and getattr(n.test, "id", "") == "TYPE_CHECKING"
    )
    return {line for n in tests for line in range(n.lineno, n.end_lineno + 1)}


def find_functions(path: Path) -> list[tuple[ast.FunctionDef, bool]]:
    """Every function and method, with whether a person may call it: no leading underscore on it or
    on what holds it.
    """
    found = []

    def visit(node: ast.AST, public: bool, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                open_to_all = (
                    public
                    and not inside
                    and (not child.name.startswith("_") or child.name == "__init__")
                )
                found.append((child, open_to_all))
                visit(child, False, True)
            elif isinstance(child, ast.ClassDef):
                visit(child, public and not child.name.startswith("_"), inside)
            else:
                visit(child, public, inside)

    visit(parse(path), True, False)
    return found


def say(path: Path, line: int, text: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {text}"


def refuse(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


def calls(path: Path, name: str) -> list[ast.Call]:
    nodes = (n for n in ast.walk(parse(path)) if isinstance(n, ast.Call))
    return [
        n
        for n in nodes
        if (isinstance(n.func, ast.Name) and n.func.id == name)
        or (isinstance(n.func, ast.Attribute) and n.func.attr == name)
    ]


@functools.cache
def find_code_lines(path: Path) -> frozenset[int]:
    """Numbers of the lines that hold code: no blank lines, comments or docstrings."""
    documented: set[int] = set()
    for node in ast.walk(parse(path)):
        holds = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        if holds and ast.get_docstring(node):
            documented |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(path.read_text("utf-8").splitlines(), 1)
    plain = {n for n, line in lines if line.strip() and not line.strip().startswith("#")}
    return frozenset(plain - documented)
