"""No verb replaces files of the user, whatever --overwrite or --resume say."""

import pytest
from reliability import overwriting

from nbtools import cli


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return overwriting.build(tmp_path_factory.mktemp("base") / "base")


@pytest.mark.parametrize(
    "situation", overwriting.choose_short(), ids=lambda s: f"{s.verb}: {s.name}".replace(" ", "_")
)
def test_files_of_the_user_stay(base, tmp_path, situation):
    """All situations: python tests/reliability/overwriting.py."""
    outcome, told = overwriting.judge(situation, base, tmp_path / "home")
    assert outcome in ("refused", "done"), told


def test_every_verb_that_writes_is_tried():
    tried = {words[0] for words in (overwriting.FOLDERS | overwriting.FILES).values()}
    tried |= {words[0] for words, _ in overwriting.INSIDE.values()}
    tried |= {name.split(".")[1].split("_")[-1] for name in overwriting.FUNCTIONS}
    # methods and doctor write nothing, start what course writes; import wants a package: see below
    assert set(cli.COMMANDS) - tried == {"methods", "doctor", "start", "import"}


def test_an_imported_model_replaces_no_files_of_the_user(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "model").mkdir()
    note = tmp_path / "model" / "notes.txt"
    note.write_text("mine")
    words = ["import", tmp_path / "package", "--out", tmp_path / "model", "--overwrite"]
    assert cli.main([str(word) for word in words]) == 2
    assert note.read_text() == "mine"
