"""Draw statements from the lessons at random, to be looked up in an executed course.

python notebooks/statements.py --count 30 --seed 1
    one statement a line: the lesson, its section, and the sentence
python notebooks/statements.py --claims --count 30 --seed 3
    only those that hold a number or a comparison

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
CLAIM = re.compile(
    r"\b\d|\b(more|fewer|less|better|worse|higher|lower|larger|smaller|most|least|twice|half|third|"
    r"quarter|rises?|falls?|loses?|lost|wider|narrower|longer|shorter|hardly|almost)\b"
)
NO_CLAIM = re.compile(r"`[^`]*`|\([Ll]essons? [^)]*\)|[Ll]essons? \d+b?|\b[23]D\b")
LEFT_OUT = re.compile(r"doi:|^\W*$|^[|#!<>-]|Where next|Papers?:|You will be able to")


def main(argv: list[str] | None = None) -> int:
    """Print the drawn statements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--claims", action="store_true", help="with a number or a comparison")
    args = parser.parse_args(argv)
    found = [one for one in list_statements() if not args.claims or is_claim(one[2])]
    drawn = random.Random(args.seed).sample(found, args.count)
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


def is_claim(text: str) -> bool:
    """Whether a statement holds a number or a comparison, code and references apart."""
    return bool(CLAIM.search(NO_CLAIM.sub("", text)))


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
