"""The ways in: what README and the container tell is what is there."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]


def read_block(after: str) -> list[str]:
    """The lines of the first block of commands after some words of README.md."""
    return re.search(re.escape(after) + r".*?```\n(.*?)```", README, re.DOTALL)[1].splitlines()


def test_every_target_that_make_help_names_is_there():
    told = "\n".join(MAKEFILE.splitlines()[1:7])
    for name in ("start", "course", "lab", "site", "test", "bench", "check", "wheelhouse"):
        assert f"make {name}" in told, name
        assert re.search(rf"^{name}:", MAKEFILE, re.MULTILINE), name


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_start_ends_in_nbtools_start():
    lines = subprocess.run(
        ["make", "--no-print-directory", "-n", "start"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert lines[-1].endswith("/nbtools start")


@pytest.mark.parametrize("after", ["**Windows.**", "**macOS.**"])
def test_the_commands_without_make_are_those_of_the_makefile(after):
    make, install, start, lab = read_block(after)
    python = "py" if after == "**Windows.**" else "python3"
    assert make == f"{python} -m venv .venv"
    assert install.endswith('-m pip install -c constraints.txt -e ".[tf,lab]"')
    assert start.replace("\\", "/").rpartition("/")[2] == "nbtools start"
    assert lab.replace("\\", "/").rpartition("/")[2] == "jupyter lab notebooks"


def test_the_commands_without_make_are_ones_that_pip_and_nbtools_take(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    _, install, start, _ = read_block("**macOS.**")
    words = install.split("-m ", 1)[1].replace('"', "").split()
    pip = [sys.executable, "-m", *words, "--dry-run", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--quiet"], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "nbtools.cli", *start.split()[1:], "--help"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def test_extras_that_commands_name_exist():
    pages = [README, MAKEFILE, (ROOT / "binder" / "requirements.txt").read_text("utf-8")]
    pages += [(ROOT / "environment.yml").read_text("utf-8")]
    named = {
        extra.strip()
        for page in pages
        for found in re.findall(r'(?:-e |")(?:\.|nbtools)\[([\w, ]+)\]', page)
        for extra in found.split(",")
    }
    assert {"tf", "lab", "site"} <= named <= set(EXTRAS)


def test_the_twin_of_colab_has_the_versions_of_colab():
    def read(name: str) -> dict[str, str]:
        lines = (ROOT / "tests" / name).read_text("utf-8").splitlines()
        pins = [re.match(r"([\w.-]+)==([^\s;#]+)", line) for line in lines]
        return {pin[1].lower().replace("_", "-"): pin[2] for pin in pins if pin}

    ours, colab = read("colab.txt"), read("colab_freeze.txt")
    differing = {name for name in ours.keys() & colab.keys() if ours[name] != colab[name]}
    assert differing == set()
    assert len(ours.keys() & colab.keys()) >= 20
    assert ours["tensorflow-cpu"] == colab["tensorflow"]


def test_pictures_of_the_readme_are_small():
    sizes = {
        name: (ROOT / name).stat().st_size
        for name in re.findall(r"!\[[^\]]*\]\((notebooks/[^)]+)\)", README)
    }
    assert len(sizes) == 3
    assert sizes["notebooks/pictures/hero.jpg"] < 300_000
    for film in ("training", "painter"):
        assert sizes[f"notebooks/pictures/{film}.webp"] < 1_000_000


def test_the_film_shows_a_training_that_learns():
    from PIL import Image

    film = Image.open(ROOT / "notebooks" / "pictures" / "training.webp")
    assert film.n_frames >= 10


def test_yaml_files_are_valid_and_name_what_exists():
    yaml = pytest.importorskip("yaml")
    for path in [*(ROOT / ".github").rglob("*.yml"), ROOT / "environment.yml"]:
        assert yaml.safe_load(path.read_text("utf-8")), path
    runs = "\n".join(p.read_text("utf-8") for p in (ROOT / ".github" / "workflows").glob("*.yml"))
    targets = set(re.findall(r"run: make ([\w-]+)", runs))
    known = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    assert {"test", "site", "wheelhouse"} <= targets <= known


def test_issue_forms_have_what_the_site_of_issues_asks_of_them():
    yaml = pytest.importorskip("yaml")
    forms = [p for p in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config"]
    assert len(forms) == 3
    for path in forms:
        form = yaml.safe_load(path.read_text("utf-8"))
        assert {"name", "description", "body"} <= set(form)
        ids = [item["id"] for item in form["body"]]
        assert len(set(ids)) == len(ids)
        assert {item["type"] for item in form["body"]} <= {"textarea", "input"}


def test_what_the_image_copies_and_runs_is_there():
    lines = (ROOT / "binder" / "Dockerfile").read_text("utf-8")
    for name in re.findall(r"(binder/[\w.]+|tests/[\w.]+)", lines):
        assert (ROOT / name).is_file(), name


def test_slimming_removes_headers_and_tests_and_leaves_the_rest(tmp_path):
    place = tmp_path / "lib"
    for name in ("tensorflow/include/a.h", "scipy/stats/tests/test_a.py", "scipy/stats/a.py"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("x")
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho {place}\n")
    python.chmod(0o755)
    subprocess.run(["sh", ROOT / "binder" / "slim.sh", python], check=True)
    assert [p.name for p in place.rglob("*") if p.is_file()] == ["a.py"]


def test_packages_of_the_site_are_in_the_constraints():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines}
    wanted = {re.split(r"[<>=\[ ]", need)[0] for need in EXTRAS["site"]}
    assert wanted <= pinned
    if "site" in (importlib.metadata.metadata("nbtools").get_all("Provides-Extra") or []):
        from nbtools import runtime

        assert sorted(runtime.list_extra("site")) == sorted(wanted)
