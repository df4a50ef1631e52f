"""A comparison of methods as facts, sentences and tables, and the meaning of its scores."""

from __future__ import annotations

from nbtools.show.paired import WORDS
from nbtools.show.text import format_value

COMPARISON = "comparison"
COUNTED = {
    "instances": "count as all missed",
    "detection": "count as all missed",
    "semantic": "count as all background",
    "classification": "count as wrong",
    "restoration": "are left out of all methods",
}
TERMS = {
    "instances": """
        IoU: The area that a true and a found nucleus share, over the area they cover together: 1 where the outlines agree, 0.5 where a
        third of each of two nuclei of one size lies outside the other.

        found, missed, extra: A nucleus is found where the IoU reaches the threshold. Missed: most of it is covered by nothing. Extra: most
        of it lies where no nucleus is.

        split, merged: One nucleus found as several; several found as one. They ruin counts and leave the foreground as it is.

        AP: Found / (found + not found + predicted in vain), all images together. At IoU 0.5 it is about counting, at 0.9 about the very
        outline. Mean AP averages IoU 0.50 to 0.90.
        """,
    "detection": """
        match: A found point within the gate of a true one; each is used once.

        precision, recall, F1: The share of found points that are right, the share of nuclei that were found, and one number for both.

        RMSE: How far matched points lie apart. It says nothing of points that were not matched.
        """,
    "classification": """
        balanced accuracy: The share of right answers, each class counting alike: always naming the commonest of two classes has 0.5.

        macro F1: F1 (right answers against both kinds of wrong one) averaged over classes, rare ones included.

        calibration: Of what it is 80 % sure of, 80 % should be right.
        """,
    "semantic": """
        Dice, IoU: Agreement of the foreground's pixels. Touching nuclei found as one cost nothing: do not read counts from it.

        precision, recall: The share of predicted pixels that are right, and the share of true ones that were found.
        """,
    "restoration": """
        PSNR: How much larger the range of grey values is than the error, in dB: 6 dB more is half the error.

        SSIM: Likeness of structure, 1 where it is the same.

        NRMSE: The root of the mean squared error over maximum minus minimum of the clean image.
        """,
}
INTERVAL = """95 % interval: The range of the score on other samples of images like these. Where the
    interval of a difference does not contain 0, one method is clearly better on such images; where
    it does, more images are needed, not another decimal."""
MATCHES = (
    "A predicted and a true nucleus match if their IoU reaches the threshold, each at most once; "
    "AP = TP / (TP + FP + FN), counts pooled over images; the mean AP is the mean over IoU 0.50, "
    "0.55, … 0.90."
)


def find_terms(facts: dict) -> list[tuple[str, str]]:
    """The terms of the scores on this page with their meaning; [] where there are no scores."""
    from nbtools.show.scores import find_task

    task = facts.get("task") or find_task(facts.get("scores") or {})
    if task not in TERMS:
        return []
    paragraphs = [" ".join(text.split()) for text in (*TERMS[task].split("\n\n"), INTERVAL)]
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
            f"{name}: {text}" for name, one in makers.items() for text in one.get("warnings", ())
        ],
        "command": about.get("command"),
        "versions": about.get("versions"),
        "inputs": about.get("files"),
    }


def find_best_score(facts: dict) -> list[tuple[str, str]]:
    """The score of the best method, for the top of the page; [] for other pages."""
    rows = facts.get("table") or ()
    return [
        (
            f"{WORDS.get(facts['metric'], facts['metric'])}, {row['method']}",
            f"{row[facts['metric']]:.3f}",
        )
        for row in rows[:1]
        if row.get(facts["metric"])
    ]


def describe_differences(facts: dict) -> list[str]:
    """Describe the difference of each pair of methods in one sentence, the clear ones first."""
    sentences = []
    for d in sorted(facts.get("differences") or (), key=lambda d: not d.get("clear")):
        one, other = d["method"], d["against"]
        if d["difference"] is None or d["interval_95"] is None:
            sentences.append(f"{one} against {other}: too few images for an interval.")
            continue
        better, worse = (one, other) if d["difference"] > 0 else (other, one)
        limits = sorted(abs(v) for v in d["interval_95"])
        gap = f"by {abs(d['difference']):.3f} in {WORDS.get(d['metric'], d['metric'])}"
        if d["clear"]:
            sentences.append(
                f"{better} is better than {worse}, {gap} (95 % interval {limits[0]:.3f} to "
                f"{limits[1]:.3f})."
            )
        else:
            low, high = d["interval_95"]
            sentences.append(
                f"{one} and {other} cannot be told apart: they differ {gap} (95 % interval "
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
    parts = [
        f"{', '.join(names)} were compared on {count} image{'' if count == 1 else 's'} with true "
        f"labels ({facts.get('truth')})."
    ]
    if facts.get("task") == "instances":
        parts.append(MATCHES)
    parts.append(f"Images without a result {COUNTED.get(facts.get('task'), 'are named')}.")
    parts.append(
        f"Intervals are 95 % percentile intervals of {facts.get('draws')} bootstrap samples of "
        f"{facts.get('units')} {unit} (seed {facts.get('seed')}), with differences paired over the "
        "same samples."
    )
    return " ".join([*parts, *describe_differences(facts)])


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
