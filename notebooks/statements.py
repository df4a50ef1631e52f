"""Draw statements from the lessons at random, to be looked up in an executed course.

python notebooks/statements.py --count 30 --seed 1
    one statement a line: the lesson, its section, and the sentence

What was found is written down in statements.md.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from pathlib import Path

import jupytext

SOURCES = Path(__file__).resolve().parent / "src"
LEAST_WORDS = 6
# what is no statement: questions, requests, references, tables and lists
ASKED = re.compile(
    r"\?|^(Guess|Look|Change|Set|Run|Exercise|Choose|Paint|Draw|Compare|Move|Try|Read|Put)\b"
)
LEFT_OUT = re.compile(r"doi:|^\W*$|^[|#!<>-]|Where next|Papers?:|You will be able to")


def main(argv: list[str] | None = None) -> int:
    """Print the drawn statements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    drawn = random.Random(args.seed).sample(list_statements(), args.count)
    print("\n".join(f"{lesson} §{section}: {text}" for lesson, section, text in sorted(drawn)))
    return 0


def list_statements() -> list[tuple[str, str, str]]:
    """(lesson, section, sentence) of all lessons, in their order."""
    found = []
    for source in sorted(SOURCES.glob("[0-9]*.py")):
        section = "0"
        for cell in jupytext.read(source, fmt="py:percent").cells:
            if cell.cell_type != "markdown":
                continue
            for part in re.split(r"(?m)^(?=## )", cell.source):
                heading = re.match(r"## (\d+|You now have)", part)
                section = heading[1] if heading else section
                if section not in ("0", "You now have"):
                    texts = find_sentences(part)
                    found += [(source.stem.split("_")[0], section, text) for text in texts]
    return found


def find_sentences(text: str) -> list[str]:
    """The statements of a part of a lesson, without headings, questions and references."""
    text = re.sub(r"(?s)<details>.*?</details>", "", text)
    text = re.sub(r"(?m)^#.*$|^\|.*$", "", text)
    sentences = []
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in re.split(r"(?<=[.])\s+(?=[A-Z*`(])", " ".join(paragraph.split())):
            plain = sentence.strip().replace("*", "")
            long = len(plain.split()) >= LEAST_WORDS
            if long and not ASKED.search(plain) and not LEFT_OUT.search(plain):
                sentences.append(plain)
    return sentences


if __name__ == "__main__":
    sys.exit(main())
