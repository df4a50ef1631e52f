"""Settings: declared once, validated when made, the same in JSON and on the command line."""

from dataclasses import dataclass

import pytest

from nbtools import config
from nbtools.config import Settings, setting
from nbtools.errors import UserError


@dataclass(frozen=True)
class Trial(Settings):
    patch_size: int = setting(64, unit="px", min=16, max=512, step=16, help="Side of a patch.")
    rate: float = setting(0.1, min=0, help="Learning rate.")
    widths: tuple[int, ...] = setting((16, 32), min=1, help="Features a level.")
    kind: str = setting("small", choices=("small", "paper"), help="Size of the network.")
    flip: bool = setting(True, help="Whether to flip.")
    threshold: float | None = setting(None, min=0, max=1, help="Chosen from the data if empty.")


def test_settings_survive_json():
    trial = Trial(patch_size=96, widths=(8, 16), threshold=0.4)
    assert Trial.from_dict(trial.to_dict()) == trial
    assert trial.to_dict()["widths"] == [8, 16]


def test_settings_are_read_from_the_command_line():
    changes = Trial.parse(
        ["patch_size=96", "rate=1e-3", "widths=8,16,32", "flip=no", "threshold=auto", "kind=paper"]
    )
    assert changes == {
        "patch_size": 96,
        "rate": 1e-3,
        "widths": (8, 16, 32),
        "flip": False,
        "threshold": None,
        "kind": "paper",
    }


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"patch_size": 100}, "Use a multiple of 16 px."),
        ({"patch_size": 8}, "Use at least 16 px."),
        ({"patch_size": 1024}, "Use at most 512 px."),
        ({"patch_size": 64.5}, "Give a value of type int."),
        ({"patch_size": True}, "Give a value of type int."),
        ({"kind": "huge"}, "Use one of: small, paper."),
        ({"widths": (8, 0)}, "Use at least 1."),
        ({"widths": 8}, "Give a list of numbers."),
        ({"flip": 1}, "Give a value of type bool."),
        ({"rate": None}, "Give a value of type float."),
        ({"sharpness": 1}, "Known: patch_size, rate, widths, kind, flip, threshold."),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_a_remedy(changes, remedy):
    with pytest.raises(UserError) as refused:
        Trial.from_dict(changes)
    assert str(refused.value).endswith(remedy)


@pytest.mark.parametrize("pair", ["patch_size", "patch_size=many", "flip=perhaps", "=3"])
def test_a_pair_that_cannot_be_read_is_refused(pair):
    with pytest.raises(UserError):
        Trial.parse([pair])


def test_a_setting_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        Trial().rate = 0.5
    assert Trial().replace(rate=0.5).rate == 0.5


def test_a_smoke_run_shortens_settings_and_says_so(tmp_path, monkeypatch, capsys):
    path = tmp_path / "fast.toml"
    path.write_text("[default]\nrate = 0.5\nnot_of_this = 1\n[trial]\npatch_size = 32\n")
    monkeypatch.setenv("NBTOOLS_FAST", str(path))
    shortened = config.shorten("trial", Trial())
    assert (shortened.patch_size, shortened.rate) == (32, 0.5)
    assert "SMOKE RUN" in capsys.readouterr().err
    assert config.shorten("another", Trial()) == Trial(rate=0.5)
    path.write_text("[trial]\npatch_size = 32\n")
    assert config.shorten("another", Trial()) == Trial()


def test_an_unknown_key_in_the_smoke_run_file_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "fast.toml"
    path.write_text("[trial]\npatchsize = 32\n")
    monkeypatch.setenv("NBTOOLS_FAST", str(path))
    with pytest.raises(UserError, match="patchsize"):
        config.shorten("trial", Trial())


def test_a_smoke_run_file_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setenv("NBTOOLS_FAST", "1")
    with pytest.raises(UserError, match="NBTOOLS_FAST"):
        config.fast_changes("trial", Trial())
