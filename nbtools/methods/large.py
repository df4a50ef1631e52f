"""Images larger than the memory: which way a prediction goes, and the way in blocks."""

from __future__ import annotations

import contextlib
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
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.inference.block_join import Joined, join, relabel
from nbtools.inference.block_store import BlockStore, CoreStore, PointStore, adopt_plan
from nbtools.inference.blocks import Executor, Work, compute, plan_blocks, run_in_order
from nbtools.inference.placing import place_results
from nbtools.inference.rescaling import find_zoom
from nbtools.inference.stored_rescaling import close_gaps, return_stored_size, zoom_stored
from nbtools.io.stored import StoredPixels, create_temporary
from nbtools.methods.domain import Domain
from nbtools.methods.large_blobs import FIELDS, BlobWork
from nbtools.methods.restoration import RestorationWork
from nbtools.plausibility import Finding
from nbtools.results import Grid, Labels, Points, Restored

if TYPE_CHECKING:
    from nbtools.methods.method import Method, Prediction
    from nbtools.methods.outline import NetworkOutline

WINDOW = {2: (1500, 1500), 3: (64, 400, 400)}  # px of the middle that a result is judged by
REACHES = (
    "{count} objects reach beyond the {halo} px around a block that each block sees, and may be "
    "split or joined otherwise than in an image in one piece."
)
REMEDY = "Look at the largest objects; with more memory (NBTOOLS_MEMORY) blocks are larger."


def fits_memory(
    method: Method | NetworkOutline,
    image: Image,
    *,
    tile: tuple[int, ...] | None = None,
    diameter: float | None = None,
    reserved: float = 0.0,
) -> bool:
    """Whether an image can be predicted in one piece.

    Parameters
    ----------
    method : that predicts, or the outline of one.
    image, tile, diameter : as for `predict`; the header is enough.
    reserved : bytes that will be taken otherwise.
    """
    zoom = None
    with contextlib.suppress(UserError):  # what is wrong is told when it is predicted
        if method.rescales and method.domain != Domain():
            zoom = find_zoom(image, method.domain, diameter=diameter)
    needed = forecast_bytes(method, image, zoom=zoom, tile=tile)
    return needed <= runtime.memory().available - reserved


def require_block(
    method: Method | NetworkOutline,
    image: Image,
    *,
    diameter: float | None = None,
    reserved: float = 0.0,
) -> None:
    """A UserError where not even a block fits into memory; the header is enough.

    Parameters
    ----------
    method : that predicts in blocks, or the outline of one.
    image, diameter : as for `predict`.
    reserved : bytes that will be taken otherwise.
    """
    needs = method.block_needs(image)
    if needs is None:
        return  # it depends on the grey values
    zoom = find_zoom(image, method.domain, diameter=diameter) if method.rescales else None
    sizes = [image.size(axis) for axis in method.domain.axes]
    factors = zip(sizes, zoom or (1.0,) * len(sizes), strict=True)
    shape = tuple(max(1, round(n * z)) for n, z in factors)
    free = max(runtime.memory().available - reserved, 0.0)
    plan_blocks(shape, free=free, **vars(needs))


def forecast_bytes(
    method: Method | NetworkOutline,
    image: Image,
    *,
    zoom: tuple[float, ...] | None = None,
    tile: tuple[int, ...] | None = None,
) -> float:
    """Bytes that an image and its prediction in one piece take; the header is enough.

    Parameters
    ----------
    method : that predicts.
    image, tile : as for `predict`.
    zoom : factor to the pixel size of the model; None for 1.
    """
    moments, pixels = image.size("T"), prod(image.space_shape) * prod(zoom or (1.0,))
    if len(image.spatial) == method.domain.ndim:
        sizes = [image.size(axis) for axis in method.domain.axes]
        factors = zip(sizes, zoom or (1.0,) * len(sizes), strict=True)
        shape = tuple(max(1, round(n * z)) for n, z in factors)
        needed = method.forecast_shape(shape, tile=tile, image=image)
        if needed is not None:
            scaled = 4 * pixels * image.size("C") * (1 if zoom is None else moments)
            return needed.needed + image.pixels.nbytes + scaled
    kept = 8 * pixels * (moments - 1)  # maps and labels of the other time points
    return image.pixels.nbytes + method.bytes_per_pixel * pixels + kept


def refuse(method: Method | NetworkOutline, image: Image) -> UserError:
    """The error for an image that is too large, and cannot be predicted in blocks.

    Parameters
    ----------
    method : that would predict.
    image : the header is enough.
    """
    needed, free = forecast_bytes(method, image) / 1e9, runtime.memory().available / 1e9
    remedy = "Use a machine with more memory, or cut the image into pieces and predict these."
    if "T" in image.axes:
        remedy = "Predict one time point after the other, with --time all."
    return UserError(
        "A prediction must fit into the memory that is free.",
        f"{image.name or 'an image'} of {' x '.join(map(str, image.shape))}, which takes "
        f"{needed:.1f} GB with {method.name}; {free:.1f} GB are free",
        remedy,
    )


def predict_stored(
    method: Method,
    image: Image,
    *,
    diameter: float | None = None,
    folder: Path | None = None,
    executor: Executor = run_in_order,
    say: Callable[[str], None] | None = None,
) -> Prediction:
    """Predict an image whose pixels stay in their file, block by block.

    Parameters
    ----------
    method : that can work on blocks.
    image, diameter : as for `predict`.
    folder : keeps what is done, so that a stopped prediction can be gone on with; None for a
        temporary one.
    executor : runs the blocks.
    say : takes messages on progress.

    Returns
    -------
    Labels or a restored image, whose pixels are in a temporary file, or points.

    Raises
    ------
    UserError : the method needs the image as a whole, or it is a movie.
    """
    from nbtools.methods.method import Prediction

    image, started, zoom = method.check_image(image), time.perf_counter(), None
    if not method.works_in_blocks(image):
        raise refuse(method, image)
    if method.rescales:
        zoom = find_zoom(image, method.domain, diameter=diameter)
    require_block(method, image, diameter=diameter)
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nbtools-")))
        about = {"key": name_run(method, image, zoom=zoom), "executor": executor, "say": say}
        if say is not None:
            say("grey values of the whole image are looked at first")
        seen = image if zoom is None else resample_stored(method, image, zoom=zoom)
        runner = BlockRunner(method, seen, folder, **about)
        work = method.open_blocks(seen)
        make = {RestorationWork: restore, BlobWork: find_points}.get(type(work), find_labels)
        found, doubts = make(runner, work, image=image)
    result = Prediction(found, seconds=time.perf_counter() - started, zoom=zoom)
    misfit = judge_window(method, image, found=result, given=diameter is not None)
    result.warnings = (*misfit, *doubts)
    return result


def find_labels(
    runner: BlockRunner, work: Work, *, image: Image
) -> tuple[Labels, tuple[Finding, ...]]:
    """The labels of an image, and what is to be said of them.

    Parameters
    ----------
    runner : of the blocks, of the image at the pixel size of the model.
    work : what is done with each.
    image : the grid of the labels.
    """
    store, joined = runner.run(work)
    label = write_labels(store, joined)
    numbers = np.arange(1, len(joined) + 1)
    shape = tuple(image.size(axis) for axis in runner.method.domain.axes)
    if label.shape != shape:
        label = return_stored_size(label, shape)
        numbers = close_gaps(label, len(joined))
    found = make_labels(label, image, joined=joined, numbers=numbers)
    store.remove()
    return found, describe_large(joined, store)


def restore(
    runner: BlockRunner, work: RestorationWork, *, image: Image
) -> tuple[Restored, tuple[Finding, ...]]:
    """The restored image, core by core.

    Parameters
    ----------
    runner : of the blocks.
    work : the restoration of each.
    image : whose axes and channels are those of the result.
    """
    store = runner.compute(work, "0", kind=CoreStore)
    ordered = image.to(runner.method.domain.axes + "C")
    pixels = create_temporary(ordered.shape, np.float32)
    for block in store.plan:
        pixels[block.core] = store.load(block.index)
    store.remove()
    return Restored(ordered.replace(pixels=pixels).to(image.axes)), ()


def find_points(
    runner: BlockRunner, work: BlobWork, *, image: Image
) -> tuple[Points, tuple[Finding, ...]]:
    """The points of an image, chosen of the maxima of all blocks.

    Parameters
    ----------
    runner : of the blocks.
    work : finds the maxima of each.
    image : the grid of the points.
    """
    store = runner.compute(work, "0", kind=PointStore)
    parts = [store.load(block.index) for block in store.plan]
    joined = [np.concatenate([part[name] for part in parts]) for name in FIELDS]
    order = np.argsort(-joined[1], kind="stable")
    places, score = work.choose(*(values[order] for values in joined))
    store.remove()
    grid = Grid(runner.method.domain.axes, store.plan.shape)
    return place_results([Points(places, grid, score)], image), ()


class BlockRunner:
    """Runs the work of a method on all blocks of an image, and again where it is to be changed.

    Parameters
    ----------
    method, image, folder, executor, say : as for `predict_stored`.
    key : what decides the labels, see `name_run`.
    """

    def __init__(
        self,
        method: Method,
        image: Image,
        folder: Path,
        *,
        key: str,
        executor: Executor,
        say: Callable[[str], None] | None,
    ):
        self.method, self.image, self.folder = method, image, folder
        self.key, self.executor, self.say = key, executor, say

    def run(self, work: Work) -> tuple[BlockStore, Joined]:
        """Compute all blocks and join what they found; the store and the objects."""
        attempt = 0
        while True:
            store = self.compute(work, f"{attempt}")
            joined = join(store.plan, store, min_size=work.min_size)
            again = work.judge(joined.sums)
            if again is None:
                return store, joined
            work, attempt = again, attempt + 1

    def compute(self, work: Work, name: str, *, kind: type[BlockStore] = BlockStore) -> BlockStore:
        """Compute all blocks; what is done is kept under a name.

        Parameters
        ----------
        work : what is done with each.
        name : of the folder.
        kind : of the store.
        """
        free = float(runtime.memory().available)
        about = {"halo": work.halo, "grid": work.grid, "bytes_per_pixel": work.bytes_per_pixel}
        shape = tuple(self.image.size(axis) for axis in self.method.domain.axes)
        plan = plan_blocks(shape, free=free, largest=self.executor.largest, **about)
        place = self.folder / name
        plan = adopt_plan(place, plan, key=self.key)
        store = kind(place, plan, key=self.key)
        self.executor.limit(plan.most_pixels * work.bytes_per_pixel)
        compute(plan, work, store=store, executor=self.executor, say=self.say)
        return store


def name_run(method: Method, image: Image, *, zoom: tuple[float, ...] | None) -> str:
    """A hash of what decides the labels: the method with its weights, and the file of the image."""
    about = {"method": method.name, "settings": method.settings.to_dict(), "tuned": method.tuned}
    about |= {"axes": image.axes, "shape": image.shape, "spacing": image.spacing, "zoom": zoom}
    if isinstance(image.pixels, StoredPixels):
        about |= image.pixels.stamp()
    known = hashlib.sha256(json.dumps(about, default=str).encode())
    network = getattr(method, "model", None)
    for weights in network.get_weights() if network is not None else ():
        known.update(np.ascontiguousarray(weights).tobytes())
    return known.hexdigest()


def resample_stored(method: Method, image: Image, *, zoom: tuple[float, ...]) -> Image:
    """An image at the pixel size of a model, in a temporary file.

    Parameters
    ----------
    method : that will predict it.
    image : whose pixels are in a file.
    zoom : factor to the pixel size of the model, along each axis.
    """
    image = image.to(method.domain.axes + "C")
    read = method.read_mended(image.pixels)
    pixels = zoom_stored(read, image.pixels.shape, zoom=zoom)
    known = image.spacing or (1.0,) * len(zoom)
    spacing = tuple(size / factor for size, factor in zip(known, zoom, strict=True))
    return image.replace(pixels=pixels, spacing=spacing if image.spacing else None)


def write_labels(store: BlockStore, joined: Joined) -> StoredPixels:
    """The labels of the image in a temporary file."""
    kind = np.uint16 if len(joined) < 2**16 else np.uint32
    label = create_temporary(store.plan.shape, kind)
    for place, core in relabel(store, joined):
        label[place] = core
    return label


def make_labels(
    label: StoredPixels, image: Image, *, joined: Joined, numbers: np.ndarray
) -> Labels:
    """Labels with the mean score, and the class of most pixels, of each object.

    Parameters
    ----------
    label : of the image.
    image : that was predicted.
    joined : with what was summed over the pixels of each object.
    numbers : (N,) of the objects in `joined`, in the order of the labels.
    """
    sizes = np.maximum(joined.sizes[numbers], 1)
    means = {name: one[numbers] / sizes for name, one in joined.sums.items() if np.ndim(one)}
    numbers = range(1, len(numbers) + 1)
    named = {name.partition(" ")[2]: one for name, one in means.items() if " " in name}
    known: dict[str, dict] = {}
    for name in {"score", "probability"} & set(means):
        known[name] = dict(zip(numbers, means[name].tolist(), strict=True))
    if named:
        best, names = np.argmax(np.stack(list(named.values())), axis=0), list(named)
        known["classes"] = dict(zip(numbers, (names[i] for i in best), strict=True))
    axes = "ZYX"[-label.ndim :]
    plain = image.select(C=0).to(axes)
    return Labels(plain.replace(pixels=label, channels=()), **known)


def describe_large(joined: Joined, store: BlockStore) -> tuple[Finding, ...]:
    """A warning where objects are larger than what blocks see of each other."""
    if not len(joined.larger):
        return ()
    halo = " x ".join(map(str, store.plan.halo))
    text = REACHES.format(count=len(joined.larger), halo=halo)
    return (Finding("beyond_halo", text, REMEDY),)


def judge_window(
    method: Method, image: Image, *, found: Prediction, given: bool
) -> tuple[Finding, ...]:
    """What makes a result doubtful, as seen in the middle of the image.

    Parameters
    ----------
    method, image : that predicted, and what.
    found : the labels of the image, or the restored one.
    given : whether a diameter of the nuclei was given.
    """
    from nbtools.methods.method import Prediction

    place = {}
    for axis, most in zip(method.domain.axes, WINDOW[method.domain.ndim], strict=True):
        start = max((image.size(axis) - most) // 2, 0)
        place[axis] = slice(start, start + most)

    def cut(one: Image) -> Image:
        return one.replace(pixels=one.pixels[tuple(place.get(a, slice(None)) for a in one.axes)])

    if isinstance(found.result, Points):
        return ()
    if found.labels is None:
        seen = Prediction(Restored(cut(found.image)), zoom=found.zoom)
    else:
        label = cut(found.labels)
        label = label.replace(pixels=label.pixels.astype(np.int32))
        seen = Prediction(Labels(label), zoom=found.zoom)
    return method.describe_misfit(cut(image), seen, given=given)
