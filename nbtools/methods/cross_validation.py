"""How well classes are told apart: every image predicted once, by a model that has not seen it.

Folds keep groups together (plants, embryos, slides), so that what is told is how the next plant
would fare. The same with nuclei divided at random shows what a leak makes of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nbtools import runtime
from nbtools.data import DataSet
from nbtools.data.ablations import ABLATIONS, ablate_all
from nbtools.errors import UserError
from nbtools.methods.method import Method
from nbtools.results import Classes
from nbtools.tasks import CLASSIFICATION

LEAKING = "complete, nuclei divided at random"


def assign_folds(
    classes: Sequence[str], groups: Sequence[object], *, folds: int, seed: int = 0
) -> np.ndarray:
    """Number of the fold of each image: groups stay together, classes are spread evenly.

    Parameters
    ----------
    classes, groups : of each image.
    folds : their number.
    seed : of the order of the groups.

    Raises
    ------
    UserError : a class has fewer than two groups, so that no model could learn it and be judged.

    Examples
    --------
    >>> plants = ["a", "a", "b", "c", "c", "d"]
    >>> fold = assign_folds(["wild"] * 3 + ["mutant"] * 3, plants, folds=2)
    >>> bool(fold[0] == fold[1]), sorted(set(fold.tolist()))
    (True, [0, 1])
    """
    of_group: dict[object, Counter] = {}
    for name, group in zip(classes, groups, strict=True):
        of_group.setdefault(group, Counter())[name] += 1
    main = {group: counts.most_common(1)[0][0] for group, counts in of_group.items()}
    for name in sorted(set(classes)):
        having = sum(name in counts for counts in of_group.values())
        if having < 2:
            raise UserError(
                "A class must occur in two groups or more to be judged on a group of its own.",
                f"{name} in {having}",
                "Add plants (embryos, slides) of that class, or group by another column.",
            )
    rng, fold = np.random.default_rng(seed), {}
    for name in sorted(set(main.values())):
        own = sorted((g for g in main if main[g] == name), key=str)
        start = int(rng.integers(folds))
        for place, number in enumerate(rng.permutation(len(own))):
            fold[own[number]] = (start + place) % folds
    return np.array([fold[group] for group in groups])


def cross_validate(
    method: Method,
    dataset: DataSet,
    *,
    groups: Sequence[object],
    folds: int = 5,
    seed: int = 0,
) -> dict:
    """Score a method on images that it has not learned from.

    Parameters
    ----------
    method : with its settings; it stays untrained, its like are trained.
    dataset : images with classes.
    groups : of each image; they stay together, and are the unit of the intervals.
    folds : models that are trained.
    seed : of folds and models.

    Returns
    -------
    Scores of classification, all images together, see `metrics.classification.evaluate`.
    """
    plan = runtime.load_quietly("nbtools.training").TrainingPlan(seed=seed)
    classes = [entry.class_name for entry in dataset.entries]
    fold = assign_folds(classes, groups, folds=folds, seed=seed)
    pairs = []
    for number in sorted(set(fold.tolist())):
        own = type(method)(method.settings)
        own.fit(dataset.subset(np.flatnonzero(fold != number)), plan=plan)
        for index in np.flatnonzero(fold == number):
            sample = dataset[int(index)]
            truth = Classes((sample.class_name,), np.ones((1, 1)), sample.name)
            pairs.append((sample.name, truth, own.predict(sample.image).result))
    named = dict(zip(dataset.names, map(str, groups), strict=True))
    return CLASSIFICATION.evaluate(pairs, groups=named, seed=seed)


def compare_inputs(
    method: Method,
    dataset: DataSet,
    *,
    groups: Sequence[object],
    folds: int = 5,
    seed: int = 0,
) -> dict[str, dict]:
    """Score a method on crops, on their outlines, on shuffled pixels, and with a leaking split.

    Parameters
    ----------
    method, groups, folds, seed : as for `cross_validate`.
    dataset : crops with classes and a channel "mask".

    Returns
    -------
    Name of the input, see `data.ablations.ABLATIONS` → scores; and where groups hold several
        images, `LEAKING` → those of images divided at random.
    """
    about = {"folds": folds, "seed": seed}
    found = {
        kind: cross_validate(method, ablate_all(dataset, kind, seed=seed), groups=groups, **about)
        for kind in ABLATIONS
    }
    if len(set(groups)) < len(dataset):
        alone = range(len(dataset))
        found[LEAKING] = cross_validate(method, dataset, groups=alone, **about)
    return found


def describe_confounding(classes: Sequence[str], groups: Sequence[object]) -> list[str]:
    """Sentences on classes that live in one group only, so that class and group are one.

    Parameters
    ----------
    classes, groups : of each image; None for an image without.

    Examples
    --------
    >>> describe_confounding(["a", "a", "b", "b"], [1, 2, 3, 3])
    ['All 2 images of the class b are of the group 3: nobody can tell the class from the group.']
    """
    having: dict[str, set] = {}
    for name, group in zip(classes, groups, strict=True):
        if name:
            having.setdefault(name, set()).add(group)
    counts = Counter(classes)
    return [
        f"All {counts[name]} images of the class {name} are of the group {next(iter(own))}: "
        "nobody can tell the class from the group."
        for name, own in sorted(having.items())
        if len(own) == 1 and None not in own and counts[name] > 1
    ]
