"""Scores as lines of text: tables, rates with their intervals, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from nbtools.metrics.bootstrap import FEWEST, name_interval


def tabulate(rows: Sequence[dict], columns: Sequence[str]) -> list[str]:
    """Rows as aligned lines under a heading.

    Parameters
    ----------
    rows : values by column.
    columns : to show, in order.

    Examples
    --------
    >>> tabulate([{"name": "a", "ap": 0.5}], ["name", "ap"])
    ['name  ap', 'a     0.500']
    """
    cells = [columns, *([format_cell(row.get(c)) for c in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def format_cell(value: object) -> str:
    """A value as it stands in a table; "–" where there is none."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def format_rates(scores: dict, names: tuple[str, ...]) -> str:
    """List metrics with their 95 % intervals, in words.

    Parameters
    ----------
    scores : metric → value, with `interval_95`.
    names : of the metrics.

    Examples
    --------
    >>> format_rates({"dice": 0.9, "interval_95": {"dice": (0.85, 0.95)}}, ("dice",))
    'dice 0.900 (0.850 to 0.950)'
    """
    limits = scores["interval_95"]
    texts = [
        f"{n.replace('_', ' ')} {scores[n]:.3f}"
        + (f" ({limits[n][0]:.3f} to {limits[n][1]:.3f})" if limits.get(n) else "")
        for n in names
    ]
    about = scores.get("interval_units")
    few = about and about["count"] < FEWEST and any(limits.values())
    return ", ".join(texts) + (f"; in brackets: {name_interval(about)}" if few else "")


def format_missing(scores: dict, words: str) -> list[str]:
    """Name the images without a result, on one line; [] where there are none.

    Parameters
    ----------
    scores : with the names in `missing`.
    words : how these images count.

    Examples
    --------
    >>> format_missing({"missing": ["a", "b"]}, "counted as all missed")
    ['Missing in the result, counted as all missed: a, b']
    """
    if not scores["missing"]:
        return []
    return [f"Missing in the result, {words}: {', '.join(scores['missing'])}"]


def average_scores(values: Sequence[float] | None) -> dict[str, float]:
    """The mean score of the objects of an image, for its summary.

    Parameters
    ----------
    values : scores; None or empty where there are none.

    Examples
    --------
    >>> average_scores([0.5, 1.0]), average_scores(None)
    ({'mean_score': 0.75}, {})
    """
    if values is None or not len(values):
        return {}
    return {"mean_score": round(sum(map(float, values)) / len(values), 4)}


def count_images(count: int | None) -> str:
    """The number of images in words: "1 image", "3 images", "the images" where it is unknown."""
    return f"{count} image{'' if count == 1 else 's'}" if count else "the images"
