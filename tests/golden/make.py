"""Write the golden values with the nbtools that is imported: `python -m golden.make`, with the
version to be held against and the folder tests/ in PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from golden import commands, compare, shipped, training

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["models", "weights", "commands"])
    parts = parser.parse_args().parts
    tf.config.run_functions_eagerly(True)  # as the tests compare
    if "models" in parts:
        write_models()
    with tempfile.TemporaryDirectory() as folder:
        if "weights" in parts:
            write("weights.json", {"predictions": shipped.predict_all(Path(folder))})
        if "commands" in parts:
            described = {"options": commands.describe_options()}
            documents = compare.mask(commands.run_all(Path(folder)))
            write("cli.json", described | {"documents": documents})


def write_models() -> None:
    """Model folders, their predictions and the losses of their training."""
    trained = {}
    for case in training.list_cases():
        name = training.name_case(*case)
        folder = HERE / "models" / name
        trained[name] = training.train(case, folder)
        for spare in training.SPARE:
            (folder / spare).unlink(missing_ok=True)
        found = training.predict(folder, case[1])
        np.savez_compressed(HERE / "models" / f"{name}.npz", **found)
    write("training.json", {"steps": trained})


def write(name: str, document: dict) -> None:
    document = {"fingerprint": training.fingerprint(), **document}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (HERE / name).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
