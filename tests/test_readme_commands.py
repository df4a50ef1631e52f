"""The command lines of the README, run as they are printed, from an empty folder."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nbtools import cli, io, simulate

ROOT = Path(__file__).resolve().parent.parent


def read_commands() -> list[str]:
    """The lines under "one command a step", without what they are for."""
    text = (ROOT / "README.md").read_text("utf-8")
    block = re.search(r"one command a step\n.*?```\n(.*?)```", text, re.DOTALL)[1]
    return [re.split(r"\s{2,}", line)[0] for line in block.splitlines()]


# the one thing that is not as printed: steps, of which a busy machine does as many
MINUTES = ("--minutes 5", "--set epochs=4 steps_per_epoch=50")


def run_printed(line: str, folder: Path) -> None:
    """Run a line in a shell that finds the command of this Python, as a person does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    here = {**os.environ, "PATH": path}
    subprocess.run(line, shell=True, cwd=folder, env=here, check=True)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder that was empty but for twelve labelled images in my_nuclei: what the lines left.

    The training has 200 steps, in a shell of its own; everything else is as printed.
    """
    folder = tmp_path_factory.mktemp("newcomer")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("NBTOOLS_FAST", raising=False)
        settings = {"shape_px": (96, 96), "radius_um": (4.0, 6.0)}
        for sample in simulate.make("nuclei2d", count=12, seed=1, settings=settings):
            io.write_image(Path("my_nuclei", "images", f"{sample.name}.tif"), sample.image)
            io.write_label(Path("my_nuclei", "labels", f"{sample.name}.tif"), sample.label)
        for line in read_commands():
            program, *words = shlex.split(line)
            assert program == "nbtools"
            if MINUTES[0] in line:
                run_printed(line.replace(*MINUTES), folder)
            else:
                assert cli.main(words) == 0, line
    return folder


def test_there_are_seven_lines_and_they_give_a_report_with_scores_and_measurements(workplace):
    assert len(read_commands()) == 7
    assert sum(MINUTES[0] in line for line in read_commands()) == 1
    report = json.loads((workplace / "result" / "report.json").read_text("utf-8"))
    assert 0 <= report["scores"]["mean_ap"] <= 1
    assert report["nuclei"] > 0
    page = (workplace / "result" / "report.html").read_text("utf-8")
    for heading in ("Scores", "Measurements", "Mistakes, the worst images first"):
        assert f">{heading}<" in page, heading
    assert "Against the true labels of" in page
    assert "right in 50 % of cases at best" in page  # two test images


def test_what_the_lines_wrote_is_no_input_of_theirs(workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    assert cli.main(["evaluate", "result", "split/test", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2
    assert cli.main(["measure", "result", "--out", "again.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 2
