"""Where the repository is: found out, never guessed, and never another project's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))

import build  # noqa: E402
import lessons  # noqa: E402
import readme  # noqa: E402
import repository  # noqa: E402
from repository import Repository  # noqa: E402

KNOWN = Repository("someone/nuclei", "main", "v0.1.0")
TABLE = '[tool.nbtools]\nrepository = ""\nbranch = "main"\nrelease = ""\n'
SECTION = "nbtools[track] @ git+https://github.com/OWNER/REPOSITORY"


@pytest.fixture
def known(monkeypatch):
    """Generated pages as they are where the address is known."""
    monkeypatch.setattr(repository, "read", lambda: KNOWN)


def make_clone(folder: Path, origin: str) -> Path:
    """A git repository with an origin."""
    folder.mkdir()
    for words in (["init", "-q"], ["remote", "add", "origin", origin]):
        subprocess.run(["git", *words], cwd=folder, check=True, env={**os.environ})
    return folder


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com/someone/nuclei.git",
        "https://github.com/someone/nuclei",
        "git@github.com:someone/nuclei.git",
        "ssh://git@github.com/someone/nuclei.git",
    ],
)
def test_the_address_is_that_of_the_origin(tmp_path, origin):
    assert repository.find({}, make_clone(tmp_path / "clone", origin)) == "someone/nuclei"


def test_continuous_integration_goes_before_the_origin(tmp_path):
    clone = make_clone(tmp_path / "clone", "https://github.com/someone/nuclei.git")
    assert repository.find({"GITHUB_REPOSITORY": "other/fork"}, clone) == "other/fork"


def test_a_folder_without_origin_or_with_one_elsewhere_has_no_address(tmp_path):
    assert repository.find({}, tmp_path) == ""
    assert repository.find({}, make_clone(tmp_path / "clone", str(tmp_path / "bare.git"))) == ""


def test_an_address_is_recorded_once_and_stays(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text(TABLE, "utf-8")
    assert repository.record(path, found="").name == ""
    assert repository.record(path, found="someone/nuclei").name == "someone/nuclei"
    assert repository.record(path, found="other/fork").name == "someone/nuclei"


@pytest.mark.parametrize(
    ("where", "place"),
    [
        (KNOWN, '"nbtools[track] @ git+https://github.com/someone/nuclei@v0.1.0"'),
        (Repository("a/b", "dev"), '"nbtools[track] @ git+https://github.com/a/b@dev"'),
        (Repository(), f'"./{repository.wheel_name()}[track]"'),
    ],
)
def test_an_install_cell_names_the_release_else_the_branch_else_a_wheel(where, place):
    filled = repository.fill(f'install "{SECTION}"', where)
    assert filled == f"install {place}"
    assert repository.unfill(filled) == f'install "{SECTION}"'


def test_without_an_address_there_are_no_badges_and_no_links(monkeypatch):
    monkeypatch.setattr(repository, "read", Repository)
    assert readme.write_badges("00_start_here") == ""
    assert "github" not in readme.write_clone()
    assert "Colab" not in readme.write_lessons(build.find_sources())


def test_with_an_address_all_of_them_name_it(known):
    assert readme.write_badges("00_start_here").count("someone/nuclei/") == 2
    assert "https://github.com/someone/nuclei nbtools" in readme.write_clone()
    sources = build.find_sources()
    assert readme.write_lessons(sources).count("blob/main/notebooks/") == len(sources) + 1


def test_no_page_and_no_notebook_holds_a_placeholder():
    assert repository.list_unfinished() == []


def test_a_placeholder_is_found(tmp_path):
    (tmp_path / "README.md").write_text("see OWNER/REPOSITORY, TODO", "utf-8")
    assert len(repository.list_unfinished(tmp_path)) == 2


def test_a_release_needs_an_address_that_is_its_own_and_a_tag():
    assert "no repository" in repository.check_release(Repository(), found="")[0]
    assert "other/fork found" in repository.check_release(KNOWN, found="other/fork")[0]
    untagged = repository.check_release(Repository("a/b"), found="a/b")
    assert any("install cells must name the release" in problem for problem in untagged)
    version = f"v{repository.read_version()}"
    done = repository.check_release(Repository("a/b", release=version), found="a/b")
    assert [p for p in done if not p.startswith("CHANGELOG.md")] == []


def test_no_message_sends_anyone_to_the_index_for_this_name():
    files = [*ROOT.glob("nbtools/**/*.py"), *ROOT.glob("docs/*"), *ROOT.glob("notebooks/src/*.py")]
    files += [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    told = [path.name for path in files if path.is_file() and _points_at_index(path)]
    assert told == []


def _points_at_index(path: Path) -> bool:
    lines = path.read_text("utf-8").splitlines()
    named = [line for line in lines if "install" in line and "--no-index" not in line]
    words = ('install "nbtools[', "install nbtools", 'install "nbtools"')
    return any(word in line and "git+" not in line for line in named for word in words)


def test_every_lesson_is_described_and_comes_after_lessons_that_exist():
    assert lessons.check() == []


def test_measured_seconds_are_kept_beside_those_of_other_lessons(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "TIMES", tmp_path / "run_times.json")
    course = tmp_path / "course.json"
    for name, ok, seconds in (("00_a", "true", 90), ("01_b", "true", 30), ("00_a", "false", 5)):
        row = f'{{"name": "{name}", "ok": {ok}, "seconds": {seconds}}}'
        course.write_text(f'{{"fast": true, "lessons": [{row}]}}', "utf-8")
        lessons.write_times(course, machine="two cores", date="2026-01-01")
    assert lessons.read_times()["seconds"] == {"00_a": 90, "01_b": 30}
    assert lessons.About("00_a", "", "", "first", seconds=90).run_minutes == "1.5"
