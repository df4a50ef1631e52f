"""What a reader of a data set asks, under the headings of REMBI, and what is left open.

References
----------
Sarkans et al. 2021, doi:10.1038/s41592-021-01166-8 (recommended metadata for biological images).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# heading → key of dataset.toml → what belongs there
QUESTIONS: dict[str, dict[str, str]] = {
    "Study": {
        "title": "one line",
        "description": "what the images were taken for, two or three sentences",
        "authors": 'a list of names: ["Ada Lovelace"]',
        "licence": "CC0-1.0 or CC-BY-4.0 let others use it",
        "citation": "paper or DOI",
        "contact": "whom to ask",
    },
    "Biosample": {
        "organism": "species and strain or ecotype",
        "specimen": "tissue, cell line, genotype, treatment",
    },
    "Specimen": {"preparation": "fixation, stain or fluorophore, mounting"},
    "Image acquisition": {
        "modality": "e.g. confocal fluorescence, DAPI",
        "instrument": "microscope, objective and its aperture, detector",
    },
    "Analysed data": {"labelled_by": "who, with which program, checked by whom"},
}


def describe_study(meta: Mapping, facts: Mapping) -> dict[str, dict[str, Any]]:
    """Arrange what is known under the headings of REMBI.

    Parameters
    ----------
    meta : of dataset.toml.
    facts : of the images, as `describe_dataset` has them.

    Returns
    -------
    Heading → field → value; None where a question is open.
    """
    found: dict[str, dict[str, Any]] = {
        heading: {key: meta.get(key) or None for key in keys} for heading, keys in QUESTIONS.items()
    }
    measured = {key: facts[key] for key in ("images", "axes", "types", "shapes", "spacing")}
    found["Image data"] = measured
    found["Analysed data"] |= {key: facts[key] for key in ("partners", "nuclei", "classes")}
    return found


def list_open(study: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Keys of dataset.toml that are not filled in.

    Parameters
    ----------
    study : as `describe_study` gives it.

    Examples
    --------
    >>> list_open({"Specimen": {"preparation": None}})
    ['preparation']
    """
    return [
        key
        for heading, keys in QUESTIONS.items()
        for key in keys
        if heading in study and not study[heading].get(key)
    ]


def find_question(key: str) -> tuple[str, str]:
    """Heading and question of a key of dataset.toml.

    Parameters
    ----------
    key : one of `QUESTIONS`.
    """
    return next((heading, keys[key]) for heading, keys in QUESTIONS.items() if key in keys)


def write_lines(study: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The same as Markdown, with what is to be filled in.

    Parameters
    ----------
    study : as `describe_study` gives it.
    """
    lines = []
    for heading, fields in study.items():
        lines += ["", f"## {heading}", "", "| | |", "| --- | --- |"]
        for key, value in fields.items():
            asked = QUESTIONS.get(heading, {}).get(key)
            shown = value or (f"**to be filled in**: {asked}" if asked else "none")
            shown = ", ".join(map(str, shown)) if isinstance(shown, list | dict) else shown
            lines.append(f"| {key.replace('_', ' ')} | {shown} |")
    return lines
