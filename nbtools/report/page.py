"""The report as one self-contained HTML page: styles and pictures inside, no network."""

from __future__ import annotations

import base64
from itertools import chain

import jinja2

from nbtools.report.compared import (
    COMPARISON,
    describe_differences,
    find_best_score,
    find_terms,
    list_makers,
)
from nbtools.report.pictures import LEARNED, MISTAKES, RESULT, Picture
from nbtools.report.prose import cite, format_spacing, write_methods
from nbtools.report.template import PAGE, STAMP, STYLE
from nbtools.show.text import format_value
from nbtools.tasks.text import count_images

SECTIONS = (RESULT, "Scores", MISTAKES, "Measurements", "Training", LEARNED)
FIRST = (RESULT, "Scores")  # on the first screen stands the first of these that there is
SUMMARY_ROWS = 50
FLAGS, NONE, USED = "flags", "none", "used in training"


def render_page(facts: dict, pictures: list[Picture]) -> str:
    """Render the whole report as HTML; every value from the run folder is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.ChainableUndefined)
    summary = add_flags(facts)[:SUMMARY_ROWS]
    sections = _group_pictures(pictures)
    shown = next((name for name in FIRST if any(name == one for one, _ in sections)), None)
    return environment.from_string(PAGE).render(
        style=STYLE,
        stamp=STAMP,
        facts=facts,
        title=make_title(facts),
        subtitle=facts.get("method", {}).get("title", ""),
        numbers=key_numbers(facts),
        prose=write_methods(facts),
        reference=cite(facts),
        sections=sections,
        first=shown,
        unscored=describe_missing_score(facts),
        findings=describe_differences(facts),
        terms=find_terms(facts),
        summary=summary,
        columns=list_columns(summary),
        tables=list_tables(facts),
        hashes=[*(facts.get("files") or []), *(facts.get("inputs") or [])],
        format=format_setting,
        format_score=lambda value: (
            f"{value:.3f}" if isinstance(value, float) else format_setting(value)
        ),
    )


def add_flags(facts: dict) -> list[dict]:
    """The rows of the summary with what is doubtful about each image; failed images have a row.

    Parameters
    ----------
    facts : with `summary`, `flags` and `failed`, as far as there are.
    """
    rows = list(facts.get("summary") or [])
    flags, failed = facts.get("flags") or {}, facts.get("failed") or []
    if seen := set(facts.get("used_in_training") or ()):
        rows = [r | {USED: "yes" if str(r.get("name")) in seen else "no"} for r in rows]
    if not (facts.get("checked") or failed):
        return rows
    known = [row | {FLAGS: " ".join(flags.get(str(row.get("name")), [])) or NONE} for row in rows]
    missing = [{"name": one["name"], FLAGS: f"left out: {one['message']}"} for one in failed]
    return [*missing, *known]


def list_columns(rows: list[dict]) -> list[str]:
    """The columns in which something stands that fits into a cell; flags are the last.

    Parameters
    ----------
    rows : of the summary.
    """
    known = dict.fromkeys(chain.from_iterable(rows))
    filled = [name for name in known if any(_is_short(row.get(name)) for row in rows)]
    return sorted(filled, key=lambda name: name == FLAGS)


def describe_missing_score(facts: dict) -> str:
    """What is known of the quality of a result that was compared with no labels; "" where it was.

    Parameters
    ----------
    facts : as `collect_facts` returns them.
    """
    if facts["kind"] != "result" or facts.get("scores") or "nuclei" not in facts:
        return ""
    told = "Not scored: nobody has labelled nuclei of these images to compare with."
    if facts.get("scored_elsewhere"):
        told += f" Elsewhere, {facts['model']} scored: {facts['scored_elsewhere']}."
    return told


def make_title(facts: dict) -> str:
    """Title of the page: "Model fast" or "Result test_images"."""
    kind, name = facts["kind"].capitalize(), facts.get("name", "")
    return kind if name == facts["kind"] else f"{kind} {name}".strip()


def key_numbers(facts: dict) -> list[tuple[str, str]]:
    """The few numbers at the top of the page, with their names."""
    scores, training, images = (facts.get(name) or {} for name in ("scores", "training", "images"))
    best = training["best"] if isinstance(training.get("best"), dict) else {}
    found = [
        *find_best_score(facts),
        ("nuclei", facts.get("nuclei")),
        ("nuclei per time point", facts.get("nuclei_per_time_point")),
        ("time points", facts.get("time_points")),
        ("images", images.get("count")),
        (_name_score(scores), _format_number(scores.get("mean_ap"), 3)),
        ("AP at IoU 0.5", _format_number(scores.get("pooled", {}).get("0.50", {}).get("ap"), 3)),
        ("PSNR in dB", _format_number((scores.get("mean") or {}).get("psnr"), 2)),
        ("SSIM", _format_number((scores.get("mean") or {}).get("ssim"), 3)),
        ("best validation loss", _format_number(best.get("val_loss"), 4)),
        ("mean AP on validation images", _format_number(best.get("val_mean_ap"), 3)),
        ("images flagged", _count_flagged(facts)),
    ]
    return [(text, str(value)) for text, value in found if value is not None]


def list_training(facts: dict) -> dict[str, object]:
    """How a model was trained, in numbers, for a table.

    Parameters
    ----------
    facts : as `collect_facts` returns them.
    """
    training = facts.get("training") or {}
    known = {
        "epochs": training.get("epochs"),
        "steps": training.get("steps"),
        "seconds": _format_number(training.get("seconds") or facts.get("seconds"), 1),
        "parameters": f"{training['parameters']:,}" if training.get("parameters") else None,
        "ended by": training.get("stopped"),
        "seed": facts.get("seed"),
    }
    return {name: value for name, value in known.items() if value is not None}


def list_tables(facts: dict) -> list[tuple[str, list[tuple[str, object]]]]:
    """Settings, images and versions as tables of two columns."""
    images = dict(facts.get("images") or {})
    if images:
        images = {
            "pixel size": format_spacing(images),
            **{k: v for k, v in images.items() if k not in ("spacing", "unit", "pixel_sizes")},
        }
        known = ("normalisation", "source", "model", "weights_sha256", "learned_from")
        images |= {k.replace("_", " "): facts[k] for k in known if facts.get(k)}
    chosen = "Decoded with" if facts["kind"] == "result" else "Chosen on the validation images"
    if facts["kind"] == COMPARISON:
        images = {"truth": facts.get("truth"), "images": images.get("count")}
    tables = [
        ("How each result was made", dict(list_makers(facts))),
        ("Training" if facts["kind"] == "model" else "Computation", list_training(facts)),
        ("Settings", facts.get("settings") or {}),
        (chosen, facts.get("tuned") or {}),
        ("Images and model", images),
        ("Versions", {k: v for k, v in (facts.get("versions") or {}).items() if v}),
    ]
    return [(heading, list(rows.items())) for heading, rows in tables if rows]


def format_setting(value: object) -> str:
    """Format a setting or fact: None is "auto", lists are joined."""
    if value is None:
        return "auto"
    if isinstance(value, list | tuple):
        return " x ".join(format_value(v) for v in value)
    return format_value(value)


def _name_score(scores: dict) -> str:
    """Mean AP, and on how many images."""
    count = scores.get("images")
    return f"mean AP on {count_images(count)} with labels" if count else "mean AP"


def _count_flagged(facts: dict) -> int | None:
    """Images with a flag; None where nothing looks for doubts."""
    flagged = {*(facts.get("flags") or {}), *(one["name"] for one in facts.get("failed") or [])}
    return len(flagged) or None


def _group_pictures(pictures: list[Picture]) -> list[tuple[str, list[dict]]]:
    """Pictures by section, ready for the template."""
    sections, number = [], 0
    for name in SECTIONS:
        inside = [p for p in pictures if p.section == name]
        encoded = [_encode_picture(p, number + i) for i, p in enumerate(inside, 1)]
        number += len(inside)
        if encoded:
            sections.append((name, encoded))
    return sections


def _encode_picture(picture: Picture, number: int) -> dict:
    data = base64.b64encode(picture.png).decode("ascii")
    return {
        "alt": picture.alt,
        "caption": picture.caption,
        "number": number,
        "kind": "half" if picture.half else "small" if picture.small else "wide",
        "data": data,
    }


def _format_number(value: float | None, digits: int) -> str | None:
    return (
        None
        if not isinstance(value, int | float)
        else f"{value:.{digits}f}"
        if digits != 4
        else f"{value:.4g}"
    )


def _is_short(value: object) -> bool:
    return value is not None and not isinstance(value, dict)
