"""Every term of the course is in the glossary, and every lesson links to it."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))

import build  # noqa: E402
import glossary  # noqa: E402
import readme  # noqa: E402

SOURCES = build.find_sources()
GLOSSARY = glossary.PAGE.read_text("utf-8")
# the words without which no later lesson can be read
NEEDED = (
    "loss",
    "epoch",
    "batch",
    "learning rate",
    "convolution",
    "encoder",
    "overfitting",
    "augmentation",
    "validation",
    "threshold",
    "IoU",
    "AP",
)
SPAN = re.compile(r"(?<![*\w])(\*{1,2})(?=\S)([^*]+?)(?<=\S)\1(?![*\w])")
MOST_WORDS = 3  # of a term; longer emphasis is a sentence
# one to three words that lessons stress and that are no terms: plain English, names of buttons,
# parts of a figure, and a specimen
EMPHASIS = """
10 % larger | Break it | Brush | Check | Convallaria | Eraser | Guess | Guess first | In volumes
Look | Look first | Look at the side views | Move the slider | Only the image | Outline | Peeled
Drag the line | Pick | Remember | Resume | Run all | Save | Stop | Three questions | Too strong
Where next | Where | Which is better | Which nucleus next | Wrong scale | You will be able to
Your turn | What would you choose | adds | all | always one whole nucleus | and | before | beside
better | between | can | cube | difference | done before | find | flat | forces | hide
image and label together | is | learns | left | look | measurement | merged | missed or extra
noisy | nuclei | nucleus | nucleus or background | nucleus, 0.7 | of that animal | on average
on images like these | one pixel | perfect | pixels lie apart | plants | probabilistic
how deep inside | how probable | removed | structure | that | this | transformed labels
view through the volume | which | whole | with its reason | without | without leakage | your
Exercise | best | More plants do | background | together | true | Only a part is labelled
fill | gives way | right | ours | Think first | click | nothing
"""
STRESSED = {words.strip().lower() for words in re.split(r"[|\n]", EMPHASIS) if words.strip()}


def is_explained(words: str, entries: dict[str, str]) -> bool:
    """Whether a term, or its singular, is in the glossary."""
    return any(form in entries for form in (words, words.removesuffix("s")))


@pytest.mark.parametrize("word", NEEDED)
def test_the_words_that_every_lesson_needs_are_explained(word):
    assert len(glossary.read_entries(GLOSSARY)[word.lower()].split()) >= 5


def test_no_term_is_explained_twice():
    heads = [line.partition(": ")[0] for line in GLOSSARY.splitlines() if line.startswith("- ")]
    terms = [term.lower() for head in heads for term in re.findall(r"\*\*(.+?)\*\*", head)]
    assert sorted(set(terms)) == sorted(terms)


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_every_term_that_a_lesson_stresses_is_in_the_glossary(source):
    entries, missing = glossary.read_entries(GLOSSARY), []
    for _, span in SPAN.findall(glossary.read_prose(source)):
        words = " ".join(span.split()).rstrip(".:?!,").lower()
        short = len(words.split()) <= MOST_WORDS
        if short and words not in STRESSED and not is_explained(words, entries):
            missing.append(words)
    remedy = "Explain it in notebooks/glossary.md; mere stress goes into EMPHASIS here."
    assert sorted(set(missing)) == [], remedy


def test_an_entry_names_the_first_lesson_that_uses_one_of_its_words(tmp_path):
    for number, text in (("01", "Gaussian. `loss`"), ("02", "losses and\n# a skip\n# connection")):
        (tmp_path / f"{number}_a.py").write_text(f"# %% [markdown]\n# {text}\n", "utf-8")
    text = "- **GA**: no.\n- **skip connection**: b.\n- **loss**, **gaussian**: a."
    page = glossary.write_page(text, sorted(tmp_path.glob("*.py"))).splitlines()
    assert page == [
        "- **GA**: no.",
        "- **skip connection**: b. (02)",
        f"{text.splitlines()[2]} (01)",
    ]


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_every_lesson_links_to_the_glossary(source):
    head = json.loads(build.build(source))["cells"][0]
    text = "".join(head["source"])
    assert "(glossary.ipynb)" in text
    assert readme.write_colab_link("glossary") in text


def test_the_glossary_that_opens_is_the_one_that_was_written():
    assert build.check_glossary() == []
    notebook = json.loads(build.built_glossary().read_text("utf-8"))
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    assert all(line in text for line in GLOSSARY.splitlines())
