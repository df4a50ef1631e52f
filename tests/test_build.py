"""Notebooks and README are made from their sources, and the package carries all a lesson needs."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))

import build  # noqa: E402
import readme  # noqa: E402
import repository  # noqa: E402

SOURCES = build.find_sources()
TRACKED = (
    "nbtools",
    "data",
    "notebooks",
    "tests/fast.toml",
    "pyproject.toml",
    "setup.py",
    "requirements.txt",
    "README.md",
    "LICENSE",
)
CODE = (
    "from nbtools import course, data, methods; print(len(data.samples('nuclei2d')), "
    "methods.names()[0], course.find_lessons(['00'])[0])"
)


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A function that writes a percent source into a course of its own and returns its path."""
    monkeypatch.setattr(build, "HERE", tmp_path)
    monkeypatch.setattr(build, "SOURCES", tmp_path / "src")
    (tmp_path / "src").mkdir()

    def write(text: str) -> Path:
        path = tmp_path / "src" / "90_trial.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def source_of(cell: dict) -> str:
    """The text of a cell of a notebook file."""
    return "".join(cell["source"])


def test_there_are_lessons():
    assert {"00_start_here", "workbench_segment"} <= {s.stem for s in SOURCES}


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_a_notebook_is_what_its_source_makes_it(source):
    assert build.check_built(source) == []
    assert build.build(source) == build.build(source)


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_a_lesson_keeps_its_limits(source):
    assert build.check_source(source) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_a_notebook_has_no_outputs_and_opens_in_colab(source):
    notebook = json.loads(build.built_path(source).read_text("utf-8"))
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in code)
    assert code[0]["metadata"]["tags"] == ["skip-execution"]
    place = repository.fill(repository.PLACEHOLDER, repository.read())
    assert repository.unfill(source_of(code[0])).count(place) == 1
    assert readme.write_badges(source.stem) in source_of(notebook["cells"][0])
    assert len({c["id"] for c in notebook["cells"]}) == len(notebook["cells"])


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_a_lesson_promises_and_asks(source):
    text = source.read_text("utf-8")
    assert "**You will be able to**" in text
    assert "## You now have" in text
    solutions = text.count("<summary>Solution</summary>")  # of exercises
    assert text.count("<details>") == text.count("</details>") == 3 + solutions


def test_a_lesson_too_long_or_with_logic_is_refused(lesson):
    source = lesson("# %%\ndef help():\n    pass\n\n# %%\n" + "x = 1\n" * 17)
    problems = "\n".join(build.check_source(source))
    assert "FunctionDef help" in problems
    assert "17 in code cell 2" in problems


def test_a_lesson_with_too_many_cells_or_lines_is_refused(lesson):
    source = lesson("# %%\nx = 1\ny = 2\n\n" * 21 + ("# %%\n" + "x = 1\n" * 14) * 5)
    problems = "\n".join(build.check_source(source))
    assert "20 code cells. Received: 26" in problems
    assert "110 lines of code. Received: 112" in problems


def test_a_wide_line_of_code_or_text_is_refused_but_not_the_row_of_a_table(lesson):
    row, text, code = f"# | {'a' * 90} |", f"# {'a' * 87}", f'x = "{"a" * 90}"'
    source = lesson(f"# %% [markdown]\n{text}\n#\n{row}\n\n# %%\n{code}\n")
    problems = build.check_source(source)
    assert ["89 in line 2" in problems[0], "96 in line 7" in problems[1]] == [True, True]
    assert len(problems) == 2


def test_a_second_comprehension_in_a_cell_is_refused(lesson):
    one, two = "x = [i for i in range(3)]\n", "y = sum(i for i in range(3))\n"
    assert build.check_source(lesson(f"# %%\n{one}\n# %%\n{two}")) == []
    [problem] = build.check_source(lesson(f"# %%\n{one}{two}"))
    assert "Received: 2 in code cell 1" in problem


def test_an_edited_notebook_is_noticed_and_comes_home(lesson):
    source = lesson("# %% [markdown]\n# # A trial\n\n# %%\nx = 1\n")
    path = build.built_path(source)
    path.write_text(build.build(source), encoding="utf-8")
    assert build.check_built(source) == []
    path.write_text(path.read_text("utf-8").replace("x = 1", "x = 2"), encoding="utf-8")
    assert "make notebooks" in build.check_built(source)[0]
    build.bring_home(path)
    assert source.read_text("utf-8") == "# %% [markdown]\n# # A trial\n\n# %%\nx = 2\n"


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_source_to_notebook_and_back_is_the_source(source, tmp_path, monkeypatch):
    path = tmp_path / f"{source.stem}.ipynb"
    path.write_text(build.build(source), encoding="utf-8")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    assert build.bring_home(path).read_text("utf-8") == source.read_text("utf-8")


def test_papers_and_lessons_are_links_in_the_notebook_alone(lesson):
    folded = "<details><summary>1. As in lesson 90?</summary>"
    text = f"# Lesson 90, `90_trial`, doi:10.1000/1.\n#\n# {folded}\n# arXiv:2211.08512\n"
    source = lesson(f"# %% [markdown]\n{text}")
    prose = "".join(json.loads(build.build(source))["cells"][1]["source"])
    assert "[Lesson 90](90_trial.ipynb), [`90_trial`](90_trial.ipynb)" in prose
    assert "[doi:10.1000/1](https://doi.org/10.1000/1)." in prose
    assert "[arXiv:2211.08512](https://arxiv.org/abs/2211.08512)" in prose
    assert folded in prose
    build.built_path(source).write_text(build.build(source), encoding="utf-8")
    build.bring_home(build.built_path(source))
    assert source.read_text("utf-8") == f"# %% [markdown]\n{text}"


def test_a_lesson_that_wants_a_gpu_asks_colab_for_one(lesson):
    source = lesson("# ---\n# jupyter:\n#   accelerator: GPU\n# ---\n\n# %%\nx = 1\n")
    metadata = json.loads(build.build(source))["metadata"]
    assert metadata["accelerator"] == "GPU"
    assert metadata["colab"]["gpuType"] == "T4"


def test_the_readme_is_up_to_date():
    assert readme.check_readme(SOURCES) == []


def test_every_link_of_the_readme_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", (ROOT / "README.md").read_text("utf-8"))
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]
    assert missing == []


def test_the_citation_file_is_valid_yaml_and_of_this_version():
    yaml = pytest.importorskip("yaml")
    import nbtools

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == nbtools.__version__


def test_the_smoke_run_file_names_known_methods_and_settings():
    from nbtools import methods

    sections = tomllib.loads((ROOT / "tests" / "fast.toml").read_text("utf-8"))
    known = {d.name for row in methods.ROWS for d in methods.get(row.name).Settings.declarations()}
    assert known >= set(sections.pop("default"))
    for name, changes in sections.items():
        methods.get(name).Settings.from_dict(changes)


def test_the_installed_wheel_carries_all_it_needs_and_runs_lesson_00_outside_the_clone(tmp_path):
    tree, wheels, site = tmp_path / "tree", tmp_path / "wheels", tmp_path / "site"
    for name in TRACKED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, tree / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    isolation = [] if _setuptools_is_old() else ["--no-build-isolation"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", *isolation, "--wheel-dir", str(wheels), str(tree)], check=True
    )
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(site), *map(str, wheels.glob("*.whl"))],
        check=True,
    )
    answer = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=_only(site),
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    count, method, lesson = answer.stdout.split()
    assert (int(count) > 0, method) == (True, "otsu")
    assert Path(lesson).is_relative_to(site)
    weights = {p.parent.name for p in (ROOT / "data" / "weights").glob("*/model.json")}
    assert {
        p.parent.name for p in (site / "nbtools" / "_data" / "weights").glob("*/model.json")
    } == weights
    course = [sys.executable, "-m", "nbtools.cli", "course", "--only", "00_start_here", "--json"]
    answer = subprocess.run(
        course, capture_output=True, text=True, cwd=tmp_path, env=_only(site), check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["lessons"][0]["ok"]


def _setuptools_is_old() -> bool:
    import setuptools

    return int(setuptools.__version__.split(".")[0]) < 77


def _only(site: Path) -> dict:
    """The environment with the installed package before everything else."""
    import os

    return {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}


def test_every_lesson_is_run_wherever_tests_run():
    """By the tests, which the workflow runs on each push, and by the course, which it also runs."""
    import test_notebooks

    assert {p.stem for p in test_notebooks.NOTEBOOKS} == {s.stem for s in SOURCES}
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    for command in ("make test PYTHON", "make course PYTHON"):
        assert command in workflow
    numbered = {s.stem.partition("_")[0] for s in SOURCES} - {"workbench"}
    assert {f"{n:02d}" for n in range(21)} <= numbered, "a lesson is missing"
