"""A 2048 x 2048 image to points by a trained detector, and to labels by `nuclei2d`, in one run.

`python benchmarks/centres_speed.py MODEL`. Both are the whole way from image to result, and both
look whether nuclei have another size than those of the training. Prints the ratio of times as JSON.
"""

from __future__ import annotations

import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from _runs import time_call
from bench_predict import REPEATS, SCENE

from nbtools import methods, simulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of a model, or name of shipped weights")
    args = parser.parse_args()
    [sample] = simulate.make("nuclei2d", count=1, seed=0, settings=SCENE)
    image = sample.image.replace(spacing=None)
    points, labels = (methods.load(name) for name in (args.model, "nuclei2d"))
    about = {"repeats": REPEATS, "warm_up": 1}
    ours, found = time_call(lambda: points.predict(image).result, **about)
    theirs, whole = time_call(lambda: labels.predict(image).labels, **about)
    told = {"what": "2048 x 2048 px to points, and by `nuclei2d` to labels"}
    told |= {"nuclei": int(sample.label.pixels.max()), "found": len(found)}
    told |= {"found_by_labels": int(whole.pixels.max())}
    result = {"points": ours, "labels": theirs, "unit": "s", "ratio": theirs / ours}
    print(json.dumps(told | result))


if __name__ == "__main__":
    main()
