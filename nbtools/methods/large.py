"""Images larger than the memory: which way a prediction goes, and the way in blocks."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtools import runtime
from nbtools.image import Image
from nbtools.inference.block_join import Joined, join, relabel
from nbtools.inference.block_store import BlockStore, adopt_plan
from nbtools.inference.blocks import Executor, Work, compute, plan_blocks, run_in_order
from nbtools.io.stored import StoredPixels, create_temporary
from nbtools.plausibility import Finding
from nbtools.results import Labels

if TYPE_CHECKING:
    from nbtools.methods.method import Method, Prediction

WINDOW = {2: (1500, 1500), 3: (64, 400, 400)}  # px of the middle that a result is judged by
REACHES = (
    "{count} objects reach beyond the {halo} px around a block that each block sees, and may be "
    "split or joined otherwise than in an image in one piece."
)
REMEDY = "Look at the largest objects; with more memory (NBTOOLS_MEMORY) blocks are larger."


def predict_in_blocks(
    method: Method,
    image: Image,
    *,
    zoom: tuple[float, ...] | None = None,
    folder: Path | None = None,
    executor: Executor = run_in_order,
    say: Callable[[str], None] | None = None,
) -> Prediction:
    """Predict the labels of an image whose pixels stay in their file.

    Parameters
    ----------
    method : that can work on blocks.
    image : without T.
    zoom : factor to the pixel size of the model; None for 1.
    folder : keeps what is done, so that a stopped prediction can be gone on with; None for a
        temporary one.
    executor : runs the blocks.
    say : takes messages on progress.

    Returns
    -------
    Labels whose pixels are in a temporary file.
    """
    from nbtools.methods.method import Prediction

    started = time.perf_counter()
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nbtools-")))
        work, attempt = method.open_blocks(image, zoom=zoom), 0
        while work is not None:
            place = folder / f"blocks{attempt}"
            store, joined = run_blocks(
                work, image, place=place, key=name_run(method, image), executor=executor, say=say
            )
            again = work.judge(joined.sums)
            if again is None:
                break
            store.remove()
            work, attempt = again, attempt + 1
        label = write_labels(store, joined, image)
        store.remove()
    found = make_labels(label, joined, image, store=store)
    result = Prediction(found, seconds=time.perf_counter() - started, zoom=zoom)
    result.warnings = (*judge_window(method, image, result), *describe_large(joined, store))
    return result


def run_blocks(
    work: Work,
    image: Image,
    *,
    place: Path,
    key: str,
    executor: Executor,
    say: Callable[[str], None] | None,
) -> tuple[BlockStore, Joined]:
    """Compute all blocks and join what they found; the store and the objects."""
    plan = plan_blocks(
        image.space_shape,
        halo=work.halo,
        bytes_per_pixel=work.bytes_per_pixel,
        free=float(runtime.memory().available),
        grid=work.grid,
    )
    plan = adopt_plan(place, plan, key=key)
    store = BlockStore(place, plan, key=key)
    compute(plan, work, store=store, executor=executor, say=say)
    return store, join(plan, store, min_size=work.min_size)


def name_run(method: Method, image: Image) -> str:
    """A hash of what decides the labels: the method as it is, and the file of the image."""
    about = {"method": method.name, "settings": method.settings.to_dict(), "tuned": method.tuned}
    about |= {"name": image.name, "axes": image.axes, "spacing": image.spacing}
    if isinstance(image.pixels, StoredPixels):
        status = image.pixels.path.stat()
        about |= {"size": status.st_size}
    return hashlib.sha256(json.dumps(about, default=str).encode()).hexdigest()


def write_labels(store: BlockStore, joined: Joined, image: Image) -> StoredPixels:
    """The labels of the image in a temporary file."""
    kind = np.uint16 if len(joined) < 2**16 else np.int32
    label = create_temporary(image.space_shape, kind)
    for place, core in relabel(store.plan, store, joined):
        label[place] = core
    return label


def make_labels(
    label: StoredPixels, joined: Joined, image: Image, *, store: BlockStore
) -> Labels:
    """Labels with the mean score, and the class of most pixels, of each object."""
    numbers, sizes = range(1, len(joined) + 1), np.maximum(joined.sizes[1:], 1)
    means = {name: one[1:] / sizes for name, one in joined.sums.items() if np.ndim(one)}
    named = {name.partition(" ")[2]: one for name, one in means.items() if " " in name}
    known = {}
    for key, name in (("score", "score"), ("probability", "probability")):
        if name in means:
            known[key] = dict(zip(numbers, means[name].tolist(), strict=True))
    if named:
        best = np.argmax(np.stack(list(named.values())), axis=0)
        names = list(named)
        known["classes"] = dict(zip(numbers, (names[i] for i in best), strict=True))
    plain = image.select(C=0)
    return Labels(plain.replace(pixels=label, channels=()), **known)


def describe_large(joined: Joined, store: BlockStore) -> tuple[Finding, ...]:
    """A warning where objects are larger than what blocks see of each other."""
    if not len(joined.larger):
        return ()
    halo = " x ".join(map(str, store.plan.halo))
    text = REACHES.format(count=len(joined.larger), halo=halo)
    return (Finding("beyond_halo", text, REMEDY),)


def judge_window(method: Method, image: Image, result: Prediction) -> tuple[Finding, ...]:
    """What makes a result doubtful, as seen in the middle of the image."""
    from nbtools.methods.method import Prediction

    place = []
    for axis, n in zip(image.spatial, image.space_shape, strict=True):
        most = dict(zip("ZYX"[-len(image.spatial) :], WINDOW[len(image.spatial)], strict=True))[axis]
        start = max((n - most) // 2, 0)
        place.append(slice(start, min(start + most, n)))
    by_axis = dict(zip(image.spatial, place, strict=True))
    cut = image.replace(pixels=image.pixels[tuple(by_axis.get(a, slice(None)) for a in image.axes)])
    label = result.labels
    small = label.replace(pixels=label.pixels[tuple(by_axis[a] for a in label.axes)])
    about = Prediction(Labels(small.replace(pixels=small.pixels.astype(np.int32))), zoom=result.zoom)
    return method.describe_misfit(cut, about, given=False)


def needs_bytes(image: Image, *, per_pixel: float) -> float:
    """Bytes that an image takes in memory, with so many for each pixel of the computation."""
    return image.pixels.nbytes + per_pixel * prod(image.space_shape)
