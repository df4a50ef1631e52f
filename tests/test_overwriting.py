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
    # these write nothing, or into a folder of a new name; fetch: see test_data_registry
    assert set(cli.COMMANDS) - tried == {"methods", "doctor", "course", "fetch"}
