"""The published comparison of N2V and N2V2 on natural images: train on noisy images alone, compare
with the clean ones.

`python benchmarks/bsd68.py FOLDER [--variant n2v n2v2] [--set epochs=20 …]`. FOLDER holds
`train/images` with noisy images (400 of 180 x 180 with Gaussian noise of sigma 25 in the
publication) and `test/images` with `test/clean` (BSD68, same noise); `val/images` if there is one.
PSNR with a range of 255. Published: N2V 27.7 dB, N2V2 28.3 dB (Höck et al. 2022, arXiv:2211.08512),
after 200 epochs of 400 batches of 128 patches, which takes an accelerator; `--set` and `--minutes`
shorten it. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from _runs import nbtools

PUBLISHED = {"n2v": 27.7, "n2v2": 28.3}
CENTRE = {
    "n2v": "true",
    "n2v2": "false",
}  # the authors' n2v may draw the hidden pixel itself; n2v2 leaves it out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variant", nargs="+", default=["n2v", "n2v2"], choices=list(PUBLISHED))
    parser.add_argument("--minutes", type=float)
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="further settings, to shorten it",
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(variant, Path(folder), args=args) for variant in args.variant]
    print(
        json.dumps({"what": "PSNR (range 255) on BSD68, Gaussian noise of sigma 25", "rows": rows})
    )


def measure(variant: str, folder: Path, *, args: argparse.Namespace) -> dict:
    """Train, predict and score one variant with the settings of the publication."""
    row = {"variant": variant, "published_psnr": PUBLISHED[variant], "commands": []}
    settings = ["preset=bsd68", f"variant={variant}", f"centre={CENTRE[variant]}", *args.set]
    words = " ".join(f"--set {s}" for s in settings) + (
        f" --minutes {args.minutes:g}" if args.minutes else ""
    )
    trained = nbtools(
        f"train n2v {args.folder}/train {words} --seed {args.seed} --out {folder}/{variant}", row
    )
    nbtools(f"predict {folder}/{variant} {args.folder}/test --out {folder}/{variant}_result", row)
    scored = nbtools(
        f"evaluate {folder}/{variant}_result {args.folder}/test --task restoration --range 255", row
    )
    row |= {
        "psnr": scored["document"]["mean"]["psnr"],
        "input_psnr": scored["document"]["input"]["psnr"],
    }
    return row | {
        "minutes": round(trained["seconds"] / 60, 2),
        "steps": trained["document"]["steps"],
    }


if __name__ == "__main__":
    main()
