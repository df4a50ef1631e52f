"""The facts of a run as a paragraph for the methods section of a paper."""

from __future__ import annotations

from nbtools import methods, tasks
from nbtools.errors import UserError
from nbtools.report.compared import COMPARISON, describe_comparison
from nbtools.show.text import format_value
from nbtools.tasks.text import count_images

LIBRARIES = ("keras", "tensorflow", "scikit-image", "numpy", "python")
NAMES = {"keras": "Keras", "tensorflow": "TensorFlow", "numpy": "NumPy", "python": "Python"}


def write_methods(facts: dict) -> str:
    """Describe the run in sentences that can be copied into a paper.

    Parameters
    ----------
    facts : as `collect_facts` returns them; what they do not hold is not mentioned.
    """
    if facts["kind"] == COMPARISON:
        cited = {name: _describe_maker(one) for name, one in (facts.get("made_by") or {}).items()}
        return " ".join(
            filter(None, [describe_comparison(facts, cited), _describe_versions(facts)])
        )
    parts = [
        _describe_method(facts),
        _describe_training(facts),
        _describe_images(facts),
        _describe_decoding(facts),
        _describe_scores(facts),
        _describe_versions(facts),
    ]
    return " ".join(filter(None, parts))


def format_spacing(images: dict) -> str:
    """Format the pixel size: "0.5 x 0.2 x 0.2 µm (Z, Y, X)", or "unknown".

    Parameters
    ----------
    images : facts with `axes`, `spacing` and `unit`; where images differ, with `pixel_sizes`, and
        each size is told with the number of its images.
    """
    if sizes := images.get("pixel_sizes"):
        return "; ".join(
            f"{format_spacing({k: v for k, v in one.items() if k != 'images'})}: "
            f"{count_images(one['images'])}"
            for one in sizes
        )
    spacing = images.get("spacing")
    if not spacing:
        return "unknown"
    axes = [a for a in str(images.get("axes", "")) if a in "ZYX"]
    unit = "µm" if images.get("unit", "um") == "um" else "(ratio only)"
    return f"{' x '.join(f'{s:g}' for s in spacing)} {unit}" + (
        f" ({', '.join(axes)})" if len(axes) == len(spacing) else ""
    )


def cite(facts: dict) -> str:
    """The method's paper in one line; "" where none is known."""
    paper = facts.get("method", {}).get("paper") or {}
    return (
        f'"{paper["title"]}" ({paper["year"]}), doi:{paper["doi"]}'
        if {"title", "year", "doi"} <= paper.keys()
        else ""
    )


def _describe_method(facts: dict) -> str:
    method, images = facts.get("method", {}), facts.get("images", {})
    name = (
        f'"{method["title"]}" (nbtools method {method["name"]})'
        if "title" in method
        else f"method {method.get('name', '')}".strip()
    )
    source = f", after {cite(facts)}" if cite(facts) else ""
    if facts["kind"] == "model":
        return f"The model is {name}{source}." if method else ""
    count = images.get("count")
    where = f" in {count_images(count)}" if count else ""
    task = tasks.find(method.get("task"))
    if "nuclei" in facts:
        found = f"{facts['nuclei']} nuclei were found{where}"
    elif "nuclei_per_time_point" in facts:
        each, points = facts["nuclei_per_time_point"], facts["time_points"]
        found = f"{each:g} nuclei per time point were found, on average over {points}{where}"
    elif task and count:
        found = f"{count} image{' was' if count == 1 else 's were'} {task.done}"
    else:
        found = f"Results were obtained{where}"
    weights = _describe_weights(facts)
    return f"{found} with {name}{source}.{weights}" if method else f"{found}."


def _describe_weights(facts: dict) -> str:
    """Which weights were used, and what they learned from."""
    if not facts.get("model"):
        return ""
    known = facts.get("weights_sha256")
    identity = f" (sha256 {known[:16]}…)" if known else ""
    if facts.get("learned_from"):
        return f" The weights {facts['model']}{identity} learned from: {facts['learned_from']}."
    trained = facts.get("trained") or {}
    parts = [
        f"began with {trained['began_with']}" if trained.get("began_with") else "",
        f"learned for {trained['steps']} steps" if trained.get("steps") else "",
        f"saw {count_images(trained['images'])} with labels" if trained.get("images") else "",
    ]
    told = ", ".join(filter(None, parts))
    model = f" The weights are those of {facts['model']}{identity}"
    return f"{model}; their training {told}." if told else f"{model}." if identity else ""


def _describe_maker(about: dict) -> str:
    """The method of a compared result, with its paper; "" where it is not in the registry."""
    try:
        row = methods.row(about.get("method") or "")
    except UserError:
        return ""
    return f'"{row.title}", doi:{row.paper.doi}'


def _describe_training(facts: dict) -> str:
    training, settings = facts.get("training", {}), facts.get("settings", {})
    if not training.get("steps"):
        return ""
    size = f" of {training['parameters']:,} parameters" if training.get("parameters") else ""
    patch = f" of {settings['patch_size']} px" if settings.get("patch_size") else ""
    batches = (
        f", each a batch of {settings['batch_size']} patches{patch}"
        if settings.get("batch_size")
        else ""
    )
    rate = (
        f", with a learning rate of at most {settings['learning_rate']:g}"
        if settings.get("learning_rate")
        else ""
    )
    seed = f" (random seed {facts['seed']})" if "seed" in facts else ""
    best = training.get("best") or {}
    kept = ""
    if settings.get("keep") == "last":
        kept = " The last weights were kept."
    elif "epoch" in best:
        lowest = best.get("val_loss")
        loss = "" if lowest is None else f", where the validation loss was lowest ({lowest:.4g})"
        kept = f" The weights of epoch {best['epoch']} were kept{loss}."
    return (
        f"The network{size} was trained for {training['steps']} steps in "
        f"{training.get('epochs', '?')} epochs{batches}{rate}{seed}.{kept}"
    )


def _describe_images(facts: dict) -> str:
    images, inputs = facts.get("images", {}), facts.get("inputs") or []
    if images.get("pixel_sizes"):
        pixels = f"The pixel size differed between images ({format_spacing(images)})."
    elif images.get("spacing"):
        pixels = f"The pixel size was {format_spacing(images)}."
    else:
        pixels = "The pixel size is unknown."
    normalised = (
        f" Grey values were normalised by {facts['normalisation']}."
        if facts.get("normalisation")
        else ""
    )
    listed = (
        f" The {len(inputs)} input files are identified by their sha256 in the recipe."
        if inputs
        else ""
    )
    return f"{pixels}{normalised}{listed}"


def _describe_decoding(facts: dict) -> str:
    values = {k: v for k, v in (facts.get("tuned") or {}).items() if v is not None}
    if not values:
        return ""
    how = "Chosen on the validation images" if facts["kind"] == "model" else "Decoded with"
    return f"{how}: {', '.join(f'{name} {format_value(value)}' for name, value in values.items())}."


def _describe_scores(facts: dict) -> str:
    scores = facts.get("scores") or {}
    task = tasks.of_scores(scores)
    if task is None:
        return ""
    others = scores.get("others_mean_ap") or {}
    told = ", ".join(f"{value:.3f} with {name}" for name, value in others.items())
    return task.sentence(scores) + (f" On the same images it was {told}." if told else "")


def _describe_versions(facts: dict) -> str:
    versions = facts.get("versions") or {}
    used = [f"{NAMES.get(name, name)} {versions[name]}" for name in LIBRARIES if versions.get(name)]
    return (
        f"Computed with nbtools {versions.get('nbtools', '')} on {', '.join(used)}." if used else ""
    )
