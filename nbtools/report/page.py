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
from nbtools.report.pictures import Picture
from nbtools.report.prose import cite, format_spacing, write_methods
from nbtools.report.template import PAGE, STAMP, STYLE
from nbtools.show.text import format_value

SECTIONS = ("Scores", "Mistakes, the worst images first", "Examples", "Training", "Measurements")
SUMMARY_ROWS = 50


def render_page(facts: dict, pictures: list[Picture]) -> str:
    """Render the whole report as HTML; every value from the run folder is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.ChainableUndefined)
    summary = (facts.get("summary") or [])[:SUMMARY_ROWS]
    return environment.from_string(PAGE).render(
        style=STYLE,
        stamp=STAMP,
        facts=facts,
        title=make_title(facts),
        subtitle=facts.get("method", {}).get("title", ""),
        numbers=key_numbers(facts),
        prose=write_methods(facts),
        reference=cite(facts),
        sections=_group_pictures(pictures),
        findings=describe_differences(facts),
        terms=find_terms(facts),
        summary=summary,
        columns=[
            c
            for c in dict.fromkeys(chain.from_iterable(summary))
            if any(_is_short(row.get(c)) for row in summary)
        ],
        tables=list_tables(facts),
        hashes=[*(facts.get("files") or []), *(facts.get("inputs") or [])],
        format=format_setting,
        format_score=lambda value: (
            f"{value:.3f}" if isinstance(value, float) else format_setting(value)
        ),
    )


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
        ("mean AP", _format_number(scores.get("mean_ap"), 3)),
        ("AP at IoU 0.5", _format_number(scores.get("pooled", {}).get("0.50", {}).get("ap"), 3)),
        ("PSNR in dB", _format_number((scores.get("mean") or {}).get("psnr"), 2)),
        ("SSIM", _format_number((scores.get("mean") or {}).get("ssim"), 3)),
        ("best validation loss", _format_number(best.get("val_loss"), 4)),
        ("mean AP on validation images", _format_number(best.get("val_mean_ap"), 3)),
        ("epochs", training.get("epochs")),
        ("steps", training.get("steps")),
        ("seconds", _format_number(training.get("seconds") or facts.get("seconds"), 1)),
        ("parameters", f"{training['parameters']:,}" if training.get("parameters") else None),
        ("seed", facts.get("seed")),
    ]
    return [(text, str(value)) for text, value in found if value is not None]


def list_tables(facts: dict) -> list[tuple[str, list[tuple[str, object]]]]:
    """Settings, images and versions as tables of two columns."""
    images = dict(facts.get("images") or {})
    if images:
        images = {
            "pixel size": format_spacing(images),
            **{k: v for k, v in images.items() if k not in ("spacing", "unit", "pixel_sizes")},
        }
        known = ("normalisation", "source", "model", "learned_from")
        images |= {k.replace("_", " "): facts[k] for k in known if facts.get(k)}
    chosen = "Decoded with" if facts["kind"] == "result" else "Chosen on the validation images"
    if facts["kind"] == COMPARISON:
        images = {"truth": facts.get("truth"), "images": images.get("count")}
    tables = [
        ("How each result was made", dict(list_makers(facts))),
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


def _group_pictures(pictures: list[Picture]) -> list[tuple[str, list[dict]]]:
    """Pictures by section, ready for the template."""
    sections = {name: [p for p in pictures if p.section == name] for name in SECTIONS}
    return [
        (name, [_encode_picture(p) for p in inside]) for name, inside in sections.items() if inside
    ]


def _encode_picture(picture: Picture) -> dict:
    data = base64.b64encode(picture.png).decode("ascii")
    return {
        "alt": picture.alt,
        "caption": picture.caption,
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
