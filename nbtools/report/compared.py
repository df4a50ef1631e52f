"""A comparison of methods as facts, sentences and tables, and the meaning of its scores."""

from __future__ import annotations

from nbtools import tasks
from nbtools.metrics.bootstrap import FEWEST, name_interval
from nbtools.plausibility import summarize
from nbtools.show.text import format_value
from nbtools.tasks import TITLES
from nbtools.tasks.text import count_images

COMPARISON = "comparison"
INTERVAL = """
    95 % interval: Nineteen of twenty such intervals hold the score on all images like these. Where
    the interval of a difference does not contain 0, the difference is larger than the choice of the
    images explains, on such images; where it does, more images are needed, not another decimal. Of
    fewer than six images or groups there is no such interval.
    """


def find_terms(facts: dict) -> list[tuple[str, str]]:
    """The words of the scores on this page, and what they mean; [] where there are none."""
    task = tasks.find(facts.get("task")) or tasks.of_scores(facts.get("scores") or {})
    if task is None:
        return []
    paragraphs = [" ".join(text.split()) for text in (*task.terms.split("\n\n"), INTERVAL)]
    return [tuple(text.split(": ", 1)) for text in paragraphs]


def collect_comparison(about: dict, rows: list[dict]) -> dict:
    """Collect facts from compare.json and the rows of compare.csv."""
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
            f"{name}: {text}"
            for name, one in makers.items()
            for text in summarize(one.get("warnings", ()), count=about["images"])
        ],
        "command": about.get("command"),
        "versions": about.get("versions"),
        "inputs": about.get("files"),
    }


def find_best_score(facts: dict) -> list[tuple[str, str]]:
    """The score of the best method, for the top of the page; [] for other pages."""
    return [
        (
            f"{TITLES.get(facts['metric'], facts['metric'])}, {row['method']}",
            f"{row[facts['metric']]:.3f}",
        )
        for row in (facts.get("table") or ())[:1]
        if row.get(facts["metric"])
    ]


def describe_differences(facts: dict) -> list[str]:
    """Describe the difference of each pair of methods in one sentence, the clear ones first."""
    about = {"count": facts.get("units") or 0, "drawn": facts.get("paired_over", "images")}
    name, sentences = name_interval(about), []
    for d in sorted(facts.get("differences") or (), key=lambda d: not d.get("clear")):
        one, other = d["method"], d["against"]
        if d["difference"] is None or d["interval_95"] is None:
            sentences.append(f"{one} against {other}: too few images for an interval.")
            continue
        better, worse = (one, other) if d["difference"] > 0 else (other, one)
        limits = sorted(abs(v) for v in d["interval_95"])
        gap = f"by {abs(d['difference']):.3f} in {TITLES.get(d['metric'], d['metric'])}"
        if about["count"] < FEWEST:
            low, high = d["interval_95"]
            sentences.append(
                f"{one} and {other} differ {gap}, on too few {about['drawn']} for a conclusion "
                f"({name}: {low:+.3f} to {high:+.3f})."
            )
        elif d["clear"]:
            sentences.append(
                f"{better} scores higher than {worse}, {gap} ({name} {limits[0]:.3f} to "
                f"{limits[1]:.3f})."
            )
        else:
            low, high = d["interval_95"]
            sentences.append(
                f"{one} and {other} cannot be told apart: they differ {gap} ({name}: "
                f"{low:+.3f} to {high:+.3f})."
            )
    return sentences


def describe_comparison(facts: dict, cited: dict[str, str]) -> str:
    """Describe the comparison in sentences for the methods section of a paper.

    Parameters
    ----------
    facts : as `collect_comparison` returns them.
    cited : name of a result to its method in words, with the paper.
    """
    count, unit = facts["images"]["count"], facts.get("paired_over", "images")
    names = [
        f"{name} ({cited[name]})" if cited.get(name) else name
        for name in (row["method"] for row in facts.get("table") or ())
    ]
    task = tasks.find(facts.get("task"))
    parts = [
        (
            f"{', '.join(names)} were compared on {count_images(count)} with true labels "
            f"({facts.get('truth')})."
        ),
        task.matching if task else "",
        f"Images without a result are {task.missing if task else 'named'}.",
        (
            f"Intervals are from {facts.get('draws')} bootstrap samples of "
            f"{facts.get('units')} {unit} (seed {facts.get('seed')}), widened for few {unit} "
            "(Hesterberg 2015), with differences paired over the same samples."
        ),
        *describe_differences(facts),
    ]
    return " ".join(filter(None, parts))


def list_makers(facts: dict) -> list[tuple[str, str]]:
    """List each result with the method, model and decoding that made it."""
    rows = []
    for name, one in (facts.get("made_by") or {}).items():
        chosen = ", ".join(
            f"{key} {format_value(value)}"
            for key, value in (one.get("decoding") or {}).items()
            if value is not None
        )
        parts = [
            f"method {one['method']}" if one.get("method") else "",
            f"model {one['model']}" if one.get("model") else "",
            chosen,
        ]
        rows.append((name, "; ".join(filter(None, parts)) or "labels of another program"))
    return rows
