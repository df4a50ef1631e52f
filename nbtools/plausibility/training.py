"""Whether a training, or a restoration, has gained anything."""

from __future__ import annotations

from collections.abc import Mapping

from nbtools.plausibility.finding import Finding

GAIN_DB = 0.1  # PSNR above the input's; less is nothing
WORTHLESS_DB = 0.0  # PSNR at which errors are as large as the range of the clean image


def judge_training(best: Mapping[str, object]) -> list[Finding]:
    """Doubts about a model at the end of its training.

    Parameters
    ----------
    best : of the history: scores of the validation images by name.
    """
    scores = {key: best.get(key) for key in ("val_mean_ap", "val_score", "train_mean_ap")}
    known = [value for value in scores.values() if isinstance(value, int | float)]
    if known and max(known) <= 0:
        return [
            Finding(
                "score_zero",
                "The validation score is 0: the model finds nothing that matches the truth.",
                "Check image and truth with nbtools check, and train longer (--set epochs=…).",
                python="Check image and truth with `checks.check`, and train longer (`epochs`).",
            )
        ]
    return []


def judge_scores(scores: Mapping[str, object]) -> list[Finding]:
    """Doubts about scores of restored images; [] for those of other tasks.

    Parameters
    ----------
    scores : with "mean" of the restored and "input" of the unprocessed images.
    """
    mean, before = scores.get("mean"), scores.get("input")
    if not isinstance(mean, Mapping) or not isinstance(before, Mapping):
        return []
    return judge_gain(mean.get("psnr"), before.get("psnr"))


def judge_gain(psnr: float | None, before: float | None) -> list[Finding]:
    """Restored images that are no nearer to the clean ones than the images were before.

    Parameters
    ----------
    psnr, before : mean PSNR of restored and of unprocessed images, in dB; None where it is unknown.
    """
    if psnr is None or before is None or (psnr - before >= GAIN_DB and psnr > WORTHLESS_DB):
        return []
    message = f"Nothing was gained: PSNR {psnr:.2f} dB, of the unprocessed images {before:.2f} dB."
    if psnr - before >= GAIN_DB:
        message = (
            f"Restored images differ from the clean ones by as much as these span (PSNR {psnr:.2f} "
            "dB)."
        )
    return [
        Finding(
            "no_gain",
            message,
            "Check with nbtools check that image and clean partner show the same field, in the "
            "same grey values, and are not swapped; if they are right, train longer.",
            python="Check with `checks.check` that image and clean partner show the same field, "
            "in the same grey values, and are not swapped; if they are right, train longer.",
        )
    ]
