"""What is read in a notebook speaks Python, what is read on the command line speaks flags."""

import ast
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from nbtools import checks, io, show
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.wording import in_python

PACKAGE = Path(__file__).resolve().parent.parent / "nbtools"
FLAG = re.compile(r"(?<![\w-])--[a-z]")


def find_sentences() -> list[str]:
    """Strings with flags, outside of the command line itself."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name in ("cli", "course") or path.name in ("wording.py", "course.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += [node.value] if FLAG.search(node.value) and " " in node.value else []
    return found


def test_no_sentence_keeps_a_flag_when_it_is_read_in_python():
    sentences = find_sentences()
    assert len(sentences) > 30
    assert not [text for text in sentences if FLAG.search(in_python(text))]


@pytest.mark.parametrize(
    ("flags", "python"),
    [
        ("Name them with --axes ZYX.", 'Name them with InputOptions(axes="ZYX").'),
        ("Add --spacing Z,Y,X in µm.", "Add InputOptions(spacing=(z, y, x)) in µm."),
        ("Choose one with --channel 0 to 2.", "Choose one with InputOptions(channel=0) to 2."),
        ("Read all with --time all.", 'Read all with InputOptions(time="all").'),
        ("Give another folder, or add --overwrite.", "Give another folder, or add overwrite=True."),
        ("Scale them with --diameter.", "Scale them with diameter."),
        ("A run-time of 5 -- or 6.", "A run-time of 5 -- or 6."),
    ],
)
def test_flags_become_names(flags, python):
    assert in_python(flags) == python


def test_an_error_speaks_python_where_it_is_raised_and_flags_on_the_command_line(tmp_path, capsys):
    from nbtools import cli

    error = UserError("Axes must be known.", (7, 40, 40), "Name them with --axes ZYX.")
    assert "InputOptions" in str(error)
    assert "--axes ZYX" not in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert str(again.for_command_line()).endswith("Name them with --axes ZYX.")
    assert cli.main(["fetch", "--out", str(tmp_path)]) == 2
    assert "--out" in capsys.readouterr().err


def test_a_remedy_of_its_own_for_the_command_line_is_kept():
    error = UserError("A rule.", 1, "Use image.select(T=0).", command="Add --time 0.")
    assert str(error).endswith("Use image.select(T=0).")
    assert str(error.for_command_line()).endswith("Add --time 0.")


def test_findings_shown_in_a_notebook_speak_python(tmp_path):
    from nbtools.data import DataSet

    label = np.zeros((64, 64), np.uint8)
    label[5:20, 5:20] = label[30:45, 30:45] = 255
    for kind, pixels in (("images", label // 2 + 10), ("labels", label)):
        io.write_image(tmp_path / kind / "a.tif", Image(pixels, "YX"))
    found = checks.check(DataSet.open(tmp_path))
    assert any("nbtools check --fix" in finding.remedy for finding in found)
    shown = show.findings(found)
    assert not FLAG.search(shown._repr_html_())
    assert "Write repaired copy" in str(shown)
