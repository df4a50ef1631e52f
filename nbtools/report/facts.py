"""Facts of a run folder as plain values; what the folder does not state is left out."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from nbtools import data, documents, io, methods
from nbtools.errors import UserError
from nbtools.io.folders import hash_file
from nbtools.plausibility import summarize
from nbtools.report.compared import collect_comparison
from nbtools.tasks.reading import SCORES_FOLDER

# A point of the card of shipped weights, up to the next point of the list or the next heading.
CARD_POINT = r"^- \*\*%s\b(?:\*\*|:\*\*)(.*?)(?=^- |^#|\Z)"
MODEL, RESULT = "model", "result"
LENIENT = ("model.json", "recipe.json")  # what they do not say is left out
TRAINED = ("seconds", "epochs", "steps", "parameters", "stopped", "best")


def collect_facts(folder: Path) -> dict:
    """Collect the facts of a model, a result or a comparison, as report.json holds them.

    Parameters
    ----------
    folder : holds model.json, result.json or compare.json.

    Raises
    ------
    UserError : the folder holds none of these, or its JSON cannot be read.
    """
    if (folder / "model.json").is_file():
        facts = _collect_model(
            folder, read_json(folder / "model.json"), read_json(folder / "recipe.json")
        )
    elif (folder / "result.json").is_file():
        facts = _collect_result(folder, read_json(folder / "result.json"))
    elif (folder / "compare.json").is_file():
        facts = {"name": folder.name} | collect_comparison(
            read_json(folder / "compare.json"), read_table(folder / "compare.csv")
        )
    else:
        raise UserError(
            "A report needs the folder of a model, a result or a comparison.",
            f"{folder}, without model.json, result.json or compare.json",
            "Give a folder written by nbtools train, nbtools predict or nbtools compare --out.",
        )
    facts["created"] = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


def read_json(path: Path) -> dict:
    """Read a document of a run; {} where there is none."""
    kind = f"{path.name} as facts" if path.name in LENIENT else ""
    return documents.read_document(path, kind) if path.is_file() else {}


def read_table(path: Path) -> list[dict]:
    """Read a CSV file, numbers as numbers and empty cells as None; [] where there is none."""
    if not path.is_file():
        return []
    return [{name: _parse_value(text) for name, text in row.items()} for row in io.read_csv(path)]


def find_scores(folder: Path, name: str = "scores.json") -> Path:
    """A file of `nbtools evaluate --save`: in scores/, of older versions beside the result.

    Parameters
    ----------
    folder : of the model or the result.
    name : of the file or folder.
    """
    inside = folder / SCORES_FOLDER / name
    return inside if inside.exists() else folder / name


def describe_method(name: str | None) -> dict:
    """Name, title, task and paper of a method, as far as the registry of methods holds them."""
    if not name:
        return {}
    try:
        row = methods.row(name)
    except UserError:
        return {"name": name}
    return {key: row.describe()[key] for key in ("name", "title", "task", "paper")}


def describe_normalisation(about: str | dict | None) -> str | None:
    """Describe how grey values were normalised.

    Parameters
    ----------
    about : the sentence itself, or a dictionary with it as "how"; of restoration methods, which
        undo it, with "offset" and "factor", too.

    Examples
    --------
    >>> about = {"how": "of the whole training set", "offset": [100.0], "factor": [7.5]}
    >>> describe_normalisation(about)
    'subtracting 100 and dividing by 7.5 (of the whole training set)'
    """
    if not isinstance(about, dict):
        return about
    if "offset" not in about:
        return about.get("how")
    offset, factor = (
        ", ".join(f"{value:.4g}" for value in about.get(key) or ()) for key in ("offset", "factor")
    )
    return f"subtracting {offset} and dividing by {factor}" + (
        f" ({about['how']})" if about.get("how") else ""
    )


def _collect_model(folder: Path, about: dict, recipe: dict) -> dict:
    history = read_table(folder / "history.csv")
    training = {key: recipe[key] for key in TRAINED if recipe.get(key) is not None}
    if history and "epochs" not in training:
        training |= {
            "epochs": len(history),
            "steps": history[-1].get("step"),
            "seconds": history[-1].get("seconds"),
        }
    training.setdefault("parameters", about.get("parameters"))
    return {
        "kind": MODEL,
        "name": folder.name,
        "smoke_run": bool(recipe.get("fast")),
        "method": describe_method(about.get("method")),
        "settings": about.get("settings") or recipe.get("settings"),
        "tuned": about.get("tuned"),
        "training": training,
        "images": _select_image_facts(about),
        "normalisation": describe_normalisation(about.get("normalisation")),
        "seed": recipe.get("seed"),
        "minutes": recipe.get("minutes"),
        "command": recipe.get("command"),
        "inputs": recipe.get("inputs"),
        "files": _hash_weights(folder),
        "versions": about.get("versions") or recipe.get("versions"),
        "scores": read_json(find_scores(folder)),
    }


def _collect_result(folder: Path, about: dict) -> dict:
    summary = read_table(folder / "summary.csv") or about.get("images") or []
    counts = [row["nuclei"] for row in summary if isinstance(row.get("nuclei"), int)]
    names = {row.get("name") for row in summary}
    frames = (row.get("nuclei") for row in summary if row.get("frame") is not None)
    moving = [count for count in frames if isinstance(count, int | float)]
    recipe = _read_recipe(about.get("model"))
    scores = read_json(find_scores(folder))
    return {
        "kind": RESULT,
        "name": folder.name,
        "smoke_run": bool(about.get("fast") or recipe.get("fast")),
        "method": describe_method(about.get("method")),
        "model": about.get("model"),
        "weights_sha256": find_weights_hash(about.get("model")),
        "learned_from": find_training_data(about.get("model")),
        "trained": _describe_recipe(recipe),
        "used_in_training": sorted(names & {io.stem(Path(p)) for p in _list_images(recipe)}),
        "scored_elsewhere": None if scores else find_card_point(about.get("model"), "Score"),
        "settings": about.get("settings"),
        "tuned": about.get("decoding") or about.get("tuned"),
        "images": _select_image_facts(about) | {"count": len(names)} | _find_pixel_sizes(about),
        # nuclei of several time points are the same ones: they do not add up
        "nuclei": sum(counts) if counts and not moving else None,
        "time_points": len(moving) or None,
        "nuclei_per_time_point": round(sum(moving) / len(moving), 1) if moving else None,
        "seconds": about.get("seconds"),
        "summary": summary,
        "failed": about.get("failed"),
        "warnings": summarize(about.get("warnings") or (), count=len(names)),
        "checked": "warnings" in about or None,
        "flags": collect_flags(about),
        "seed": recipe.get("seed"),
        "command": about.get("command"),
        "source": about.get("source"),
        "files": _hash_weights(folder),
        "versions": about.get("versions"),
        "scores": scores,
    }


def _read_recipe(model: str | None) -> dict:
    """The recipe of the model that made a result, where its folder is still there."""
    return read_json(Path(model) / "recipe.json") if model else {}


def _select_image_facts(about: dict) -> dict:
    keys = (
        "axes",
        "spacing",
        "unit",
        "channels",
        "nucleus_size",
        "nucleus_size_um",
        "nucleus_size_px",
    )
    return {key: about[key] for key in keys if about.get(key) not in (None, [], "")}


def _find_pixel_sizes(about: dict) -> dict:
    """Pixel sizes of the images of a result, where they are not all the same."""
    sizes = Counter()
    for row in about.get("images") or ():
        axes = "".join(a for a in str(row.get("axes") or "") if a in "ZYX")
        sizes[axes, tuple(row.get("spacing") or ()), row.get("unit") or "um"] += 1
    if len(sizes) < 2:
        return {}
    keys = ("axes", "spacing", "unit")
    return {
        "pixel_sizes": [
            dict(zip(keys, size, strict=True)) | {"images": n} for size, n in sizes.items()
        ]
    }


def collect_flags(about: dict) -> dict[str, list[str]]:
    """What is doubtful about single images: name → sentences, also of images left out.

    Parameters
    ----------
    about : content of result.json.

    Examples
    --------
    >>> collect_flags({"warnings": [{"code": "size", "image": "a", "message": "Small nuclei."}]})
    {'a': ['Small nuclei.']}
    """
    flags: dict[str, list[str]] = {}
    for one in about.get("warnings") or ():
        if isinstance(one, dict) and one.get("image") and one.get("message"):
            flags.setdefault(str(one["image"]), []).append(str(one["message"]))
    return flags


def find_weights_hash(model: str | None) -> str | None:
    """sha256 of the weights of a model or of shipped weights; None where they are not there.

    Parameters
    ----------
    model : folder of a model, or name of shipped weights.
    """
    folder = _find_model(model)
    files = sorted(folder.glob("weights.*")) if folder else []
    return hash_file(files[0]) if files else None


def find_training_data(model: str | None) -> str | None:
    """What weights learned from, by the card beside them; None where there is none.

    Parameters
    ----------
    model : folder of a model, or name of shipped weights.

    Examples
    --------
    >>> find_training_data("nuclei3d").partition(",")[0]
    'simulated volumes of nuclei'
    """
    return find_card_point(model, "Data")


def find_card_point(model: str | None, name: str) -> str | None:
    """What the card beside weights says at one point, as plain text; None where it is silent.

    Parameters
    ----------
    model : folder of a model, or name of shipped weights.
    name : of the point, as "Data" or "Score".
    """
    folder = _find_model(model)
    card = folder / "README.md" if folder else None
    if card is None or not card.is_file():
        return None
    point = re.compile(CARD_POINT % name, re.MULTILINE | re.DOTALL)
    found = point.search(card.read_text("utf-8"))
    return " ".join(found[1].replace("**", "").split()).rstrip(".") if found else None


def _find_model(model: str | None) -> Path | None:
    """The folder of a model, or of shipped weights, that is still there."""
    places = (Path(model), data.packaged_path("weights", str(model))) if model else ()
    return next((place for place in places if (place / "model.json").is_file()), None)


def _list_images(recipe: dict) -> list[str]:
    """Files of the images that a model learned from or was chosen by."""
    files = [str(entry.get("file", "")) for entry in recipe.get("inputs") or ()]
    return [file for file in files if Path(file).parent.name == "images"]


def _describe_recipe(recipe: dict) -> dict:
    """How a model was trained: what it began with, steps, and images that it learned from."""
    init = recipe.get("init") if isinstance(recipe.get("init"), dict) else {}
    images = _list_images(recipe)
    found = {
        "began_with": init.get("model"),
        "steps": recipe.get("steps"),
        "images": len(images) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _hash_weights(folder: Path) -> list[dict]:
    """sha256 of the weights, which identifies a model."""
    import hashlib

    return [
        {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(folder.glob("weights.*"))
    ]


def _parse_value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text) if math.isfinite(kind(text)) else None
        except (ValueError, OverflowError):
            continue
    return {"": None, "True": True, "False": False}.get(text, text)
