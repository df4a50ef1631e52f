"""How often the self-check doubts results on real images whose nuclei are there to be seen.

`python benchmarks/false_alarms.py`, with the data sets under $NBTOOLS_DATA. Only validation images
are looked at.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from nbtools import io, methods
from nbtools.data import DataSet

HERE = Path(__file__).parent
DATA = "dsb2018_fluorescence/val"
MODELS = ("otsu", "nuclei2d")


def count_doubts(name: str, dataset: DataSet) -> dict:
    """Images with findings, and the findings by their code, of one model."""
    codes, doubted = Counter(), []
    for index in range(len(dataset)):
        found = methods.load(name).predict(dataset.image(index)).warnings
        codes.update(one.code for one in found)
        doubted += [dataset.names[index]] if found else []
    return {"model": name, "images": len(dataset), "doubted": doubted, "codes": dict(codes)}


def main() -> None:
    dataset = DataSet.open(Path(os.environ["NBTOOLS_DATA"]) / DATA)
    rows = [count_doubts(name, dataset) for name in MODELS]
    document = {"data": f"$NBTOOLS_DATA/{DATA}", "rows": rows}
    io.write_json(HERE / "results" / "false_alarms.json", document)
    for row in rows:
        print(f"{row['model']}: {len(row['doubted'])} of {row['images']} images, {row['codes']}")


if __name__ == "__main__":
    main()
