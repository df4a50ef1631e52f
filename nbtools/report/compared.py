"""A comparison of methods as facts, sentences and tables; and what the words of a score mean, for a
reader who has not met them.
"""

from __future__ import annotations

from nbtools import tasks
from nbtools.show.words import say_value
from nbtools.tasks import TITLES
from nbtools.tasks.text import count_images

COMPARISON = "comparison"
SURE = """
    95 % interval: What the score would be on other draws of images like these. Where the interval
    of a difference leaves out 0, one method is better beyond doubt on such images; where it does
    not, more images are needed, not another decimal.
    """


def find_terms(facts: dict) -> list[tuple[str, str]]:
    """The words of the scores on this page, and what they mean; [] where there are none."""
    task = tasks.find(facts.get("task")) or tasks.of_scores(facts.get("scores") or {})
    if task is None:
        return []
    paragraphs = [" ".join(text.split()) for text in (*task.terms.split("\n\n"), SURE)]
    return [tuple(text.split(": ", 1)) for text in paragraphs]


def gather_comparison(about: dict, rows: list[dict]) -> dict:
    """Facts of compare.json and the rows of compare.csv."""
    main = about["metrics"][0]
    makers = about.get("made_by") or {}
    return {
        "kind": COMPARISON,
        "task": about.get("task"),
        "truth": about.get("truth"),
        "baseline": about.get("baseline"),
        "table": rows,
        "differences": [d for d in about["differences"] if d["metric"] == main],
        "metric": main,
        "images": {"count": about["images"]},
        "units": about.get("units"),
        "paired_over": about.get("paired_over"),
        "draws": about.get("draws"),
        "made_by": makers,
        "missing": {name: names for name, names in (about.get("missing") or {}).items() if names},
        "seed": about.get("seed"),
        "warnings": [
            f"{name}: {text}" for name, one in makers.items() for text in one.get("warnings", ())
        ],
        "command": about.get("command"),
        "versions": about.get("versions"),
        "inputs": about.get("files"),
    }


def find_best(facts: dict) -> list[tuple[str, str]]:
    """The metric that methods are ranked by, of the best one: what stands on top of the page; [] of
    other pages.
    """
    rows = facts.get("table") or ()
    return [
        (
            f"{TITLES.get(facts['metric'], facts['metric'])}, {row['method']}",
            f"{row[facts['metric']]:.3f}",
        )
        for row in rows[:1]
        if row.get(facts["metric"])
    ]


def say_findings(facts: dict) -> list[str]:
    """What came out, one sentence a pair of methods, the clear ones first."""
    said = []
    for d in sorted(facts.get("differences") or (), key=lambda d: not d.get("clear")):
        one, other = d["method"], d["against"]
        if d["difference"] is None or d["interval_95"] is None:
            said.append(f"{one} against {other}: too few images to say how sure a difference is.")
            continue
        better, worse = (one, other) if d["difference"] > 0 else (other, one)
        limits = sorted(abs(v) for v in d["interval_95"])
        gap = f"by {abs(d['difference']):.3f} in {TITLES.get(d['metric'], d['metric'])}"
        if d["clear"]:
            said.append(
                f"{better} is better than {worse}, {gap} (95 % interval {limits[0]:.3f} to "
                f"{limits[1]:.3f})."
            )
        else:
            low, high = d["interval_95"]
            said.append(
                f"{one} and {other} cannot be told apart: they differ {gap} (95 % interval "
                f"{low:+.3f} to {high:+.3f})."
            )
    return said


def say_methods(facts: dict, cited: dict[str, str]) -> str:
    """The sentences for the methods section.  cited : name of a result → its method in words, with
    the paper.
    """
    count, unit = facts["images"]["count"], facts.get("paired_over", "images")
    names = [
        f"{name} ({cited[name]})" if cited.get(name) else name
        for name in (row["method"] for row in facts.get("table") or ())
    ]
    parts = [
        f"{', '.join(names)} were compared on {count_images(count)} with true labels "
        f"({facts.get('truth')})."
    ]
    task = tasks.find(facts.get("task"))
    parts.append(task.matching if task else "")
    parts.append(f"Images without a result are {task.missing if task else 'named'}.")
    parts.append(
        f"Intervals are 95 % percentile intervals of {facts.get('draws')} bootstrap draws of "
        f"{facts.get('units')} {unit} (seed "
        f"{facts.get('seed')}), differences paired over the same draws."
    )
    return " ".join(filter(None, [*parts, *say_findings(facts)]))


def list_makers(facts: dict) -> list[tuple[str, str]]:
    """Each result and how it was made."""
    rows = []
    for name, one in (facts.get("made_by") or {}).items():
        chosen = ", ".join(
            f"{key} {say_value(value)}"
            for key, value in (one.get("decoding") or {}).items()
            if value is not None
        )
        words = [
            f"method {one['method']}" if one.get("method") else "",
            f"model {one['model']}" if one.get("model") else "",
            chosen,
        ]
        rows.append(
            (name, "; ".join(word for word in words if word) or "labels of another program")
        )
    return rows
