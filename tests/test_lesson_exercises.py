"""Every section of a lesson has something to do, and what is said of a changed number is true."""

import re
import sys
from pathlib import Path

import jupytext
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))

import build  # noqa: E402

LESSONS = [source for source in build.find_sources() if source.stem[0].isdigit()]
SECTION = re.compile(r"^## (\d+)\. ", re.M)
MOST_LINES = 12


def read_cells(source):
    return jupytext.read(source, fmt="py:percent").cells


def find_exercises(source):
    return [cell for cell in read_cells(source) if build.is_exercise(cell)]


def code_cells(number):
    """The cells of a lesson that are run."""
    cells = read_cells(next(path for path in LESSONS if path.stem.startswith(number)))
    code = [cell for cell in cells if cell.cell_type == "code"]
    return [cell for cell in code if "skip-execution" not in cell.metadata.get("tags", [])]


def run_changed(number, old, new, *, until=""):
    """The variables of a lesson in which a line is changed, up to the cell that holds `until`."""
    variables, changed = {}, 0
    for cell in code_cells(number):
        changed += cell.source.count(old)
        exec(compile(cell.source.replace(old, new), number, "exec"), variables)
        if until and until in cell.source:
            break
    assert changed == 1, f"{old} stands {changed} times in the lesson"
    return variables


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("source", LESSONS, ids=lambda p: p.stem)
def test_every_section_has_an_exercise(source):
    section, begun, sections, asked = None, None, [], set()
    for cell in read_cells(source):
        if cell.cell_type == "markdown":
            for found in re.finditer(r"^## (?:(\d+)\.)?", cell.source, re.M):
                section = found[1]
                sections += [section] * (section is not None)
            for part in re.split(r"^(?=## )", cell.source, flags=re.M):
                if "**Exercise.**" in part:
                    number = SECTION.match(part)
                    asked.add(number[1] if number else begun)
            begun = section
        elif build.is_exercise(cell):
            asked.add(section)
    assert len(sections) >= 4
    assert set(sections) - asked == set()
    assert None not in asked, "an exercise stands outside of the numbered sections"


@pytest.mark.parametrize("source", LESSONS, ids=lambda p: p.stem)
def test_an_exercise_is_short_and_ends_with_its_question(source):
    for cell in find_exercises(source):
        assert len(cell.source.splitlines()) <= MOST_LINES
        assert sum(cell.source.count(f"nb.widgets.{name}(") for name in ("guess", "ask")) == 1
        assert cell.source.rstrip().endswith(")")


@pytest.mark.parametrize("source", LESSONS, ids=lambda p: p.stem)
def test_the_solution_of_what_is_to_be_changed_is_folded_beneath_it(source):
    text = source.read_text("utf-8")
    assert text.count("**Exercise.**") == text.count("<summary>Solution</summary>")


def test_10_a_shift_of_six_pixels_halves_ap_and_growing_too_far_does_no_harm():
    from nbtools import metrics

    shifts = run_changed("10", "for pixels in (1, 3, 5):", "for pixels in (4, 6):", until="shifted")
    scores = metrics.evaluate_each(shifts["truth"], shifts["shifted"])
    four, six = (scores[f"shifted by {pixels} px"]["pooled"]["0.50"]["ap"] for pixels in (4, 6))
    assert four > 0.8 > 0.5 > six
    far = run_changed("10", "where=kind, grow=2)", "where=kind, grow=5)", until="grow=2")
    enough = run_changed("10", "where=kind, grow=2)", "where=kind, grow=2)", until="grow=2")
    for kind, labels in far["grown"].items():
        assert np.count_nonzero(labels != enough["grown"][kind]) < 1e-4 * labels.size


def test_14_more_labels_tight_boxes_and_doubt_do_what_the_solutions_say():
    from nbtools import methods, simulate

    run = run_changed("14", "(0, 1, 2, 4, 8)", "(0, 1, -1, -2, 4)", until="for margin in")
    right, loose, one, two, four = (row["mean AP"] for row in run["rows"])
    assert (right - one, right - loose) == pytest.approx((0.04, 0.24), abs=0.005)
    assert two / four == pytest.approx(7, abs=0.5)
    for count, images, known in ((10, 8, 2), (100, 12, 14)):
        some = simulate.label_some(run["train"], count)
        assert len(some) == images
        assert round(100 * np.mean([np.mean(s.label.pixels >= 0) for s in some])) == known
    shipped = methods.load("nuclei2d_small")
    found = [shipped.predict(sample.image) for sample in run["test"]]
    run |= {"shipped": shipped, "found": {"shipped, 0": found}}
    [cell] = [c for c in code_cells("14") if "order[:20]" in c.source]
    wrong = {}
    for words in ("order[:5]", "order[:20]", "order[-20:]"):
        exec(cell.source.replace("order[:20]", words), run)
        wrong["all"], wrong[words] = (row["wrong, %"] for row in run["rows"])
    assert [round(share) for share in wrong.values()] == [10, 80, 65, 0]


def test_14_wrong_labels_misjudge_and_what_is_hidden_cannot_be_filled_in():
    from nbtools import data, metrics, simulate
    from nbtools.targets import hidden_blocks

    [sample, *_] = data.samples("nuclei2d")
    wrong = simulate.mislabel(sample.label, share=0.2, rng=np.random.default_rng(1))
    scores = metrics.evaluate_each(wrong, {"": sample.label})[""]["pooled"]["0.50"]
    assert [scores[kind] for kind in ("tp", "fp", "fn")] == [103, 8 + 14, 14]
    assert scores["ap"] == pytest.approx(0.74, abs=0.005)
    truth, seen = sample.label.pixels[:126, :126], {}
    for share in (0.4, 0.9):
        rng = np.random.default_rng(0)
        hidden = hidden_blocks.draw_blocks(rng, (126, 126), side=(8, 8), share=share)
        seen[share] = [np.mean(~hidden[truth == i]) for i in np.unique(truth[truth > 0])]
    assert len(seen[0.9]) == 12
    assert min(seen[0.4]) > 0
    assert [sum(one <= most for one in seen[0.9]) for most in (0, 0.1)] == [3, 5]


def test_15_what_the_solutions_say_of_the_two_worlds_is_so():
    counts = {}
    for density in ("(0.2,)", "(0.5,)"):
        change = ('"density": (0.2,)', f'"density": {density}')
        run = run_changed("15", *change, until="simulated = ")
        found = [len(np.unique(s.label.pixels)) - 1 for s in run["simulated"]]
        counts[density] = (min(found), max(found))
    assert list(counts.values()) == [(8, 13), (20, 32)]
    real = [len(np.unique(s.label.pixels)) - 1 for s in run["ours"]]
    assert (min(real), max(real)) == (6, 14)
    run = run_changed("15", "count=2)", "count=3)", until="cluster_styles(")
    looks = run["looks"]
    apart = np.diff([looks[n].mean(0) for n in looks], axis=0)[0] / looks["real"].std(0)
    assert apart[-1] == pytest.approx(4.8, abs=0.05)
    assert np.abs(apart[:-1]).max() < 1.5
    real, simulated = ([run["styles"].find(one) for one in looks[name]] for name in looks)
    third = max(set(simulated), key=simulated.count)
    assert (simulated.count(third), real.count(third)) == (14, 0)
    assert sum(real.count(one) for one in set(simulated) - {third}) == 5
    for cell in code_cells("15"):
        if "invented = []" in cell.source or "witness, rows" in cell.source:
            exec(cell.source.replace("% 4 == 1", "% 2 == 1"), run)
    assert [row["without a mask"] for row in run["rows"]] == [6, 84]


def test_17_twice_the_blur_hides_nearly_all_chromocentres():
    sharp = run_changed("17", '"psf_um": (0.15,)', '"psf_um": (0.15,)', until="spots =")
    blurred = run_changed("17", '"psf_um": (0.15,)', '"psf_um": (0.3,)', until="spots =")
    counts = [run["spots"].pixels.max() for run in (sharp, blurred)]
    assert counts == [41, 2]


def test_the_statements_that_were_looked_up_still_stand_in_the_lessons():
    import statements

    page = (ROOT / "notebooks" / "statements.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    told = {(lesson, text) for lesson, _, text in statements.list_statements()}
    looked_up = [(row[0].split(" §")[0], row[1]) for row in rows[2:]]
    assert len(looked_up) == 60
    assert [one for one in looked_up if one not in told] == []
