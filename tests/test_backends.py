"""One set of weights, three backends of Keras. Ten minutes: only with `make test-backends`, whose
environment has JAX and PyTorch, too.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from nbtools import data, io, methods, simulate
from nbtools.metrics import instances

pytestmark = pytest.mark.backends

OTHERS = ("jax", "torch")
OURS = [row.name for row in methods.ROWS if row.trained and not row.built_on]
TINY = ["preset=tiny", "epochs=1", "steps_per_epoch=3", "batch_size=2"]
LOOK = """
import sys
import numpy as np
import nbtools as nb
model, image = nb.methods.load(sys.argv[1]), nb.io.read_image(sys.argv[2])
np.save(sys.argv[3], model.predict(image, raw=True).raw["maps"])
"""


def drive(backend: str, *words: object) -> str:
    """What a Python command prints with this backend."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: make test-backends")
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Small sets of images with labels and of pairs, in 2D and 3D."""
    place = tmp_path_factory.mktemp("sets")
    small = {
        2: {"shape_px": (64, 64), "radius_um": (4.0,)},
        3: {"shape_px": (12, 40, 40), "radius_um": (4.0,)},
    }
    for ndim, settings in small.items():
        data.write_dataset(
            simulate.make(f"nuclei{ndim}d", count=2, seed=1, settings=settings),
            place / f"labels{ndim}",
        )
        pairs = {"shape_px": settings["shape_px"], "spacing_um": (0.2,) * ndim}
        data.write_dataset(
            simulate.make("pairs", count=2, seed=1, settings=pairs), place / f"clean{ndim}"
        )
    return place


@pytest.mark.parametrize("backend", OTHERS)
def test_shipped_weights_find_the_same_nuclei(backend, tmp_path):
    sample = data.samples("nuclei2d")[0]
    io.write_image(tmp_path / "image.tif", sample.image)
    found = {}
    for each in ("tensorflow", backend):
        drive(
            each,
            "-m",
            "nbtools.cli",
            "predict",
            "nuclei2d",
            tmp_path / "image.tif",
            "--out",
            tmp_path / each,
            "--quiet",
        )
        found[each] = io.read_label(tmp_path / each / "image.tif").pixels
    one, other = found.values()
    assert one.max() > 100
    assert np.count_nonzero((one > 0) != (other > 0)) <= 20
    assert instances.score(one, other, iou=0.9).ap == 1.0


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("name", OURS)
def test_weights_learned_on_one_backend_say_the_same_on_another(backend, name, folders, tmp_path):
    row = methods.row(name)
    ndim = row.dims[0]
    folder = folders / (f"clean{ndim}" if row.task == "denoise" else f"labels{ndim}")
    words = [word for setting in TINY for word in ("--set", setting)]
    drive(
        backend,
        "-m",
        "nbtools.cli",
        "train",
        name,
        folder,
        "--out",
        tmp_path / "model",
        "--quiet",
        "--seed",
        0,
        *words,
    )
    image = next(path for path in sorted((folder / "images").iterdir()) if path.suffix == ".tif")
    seen = {}
    for each in ("tensorflow", backend):
        drive(each, "-c", LOOK, tmp_path / "model", image, tmp_path / f"{each}.npy")
        seen[each] = np.load(tmp_path / f"{each}.npy")
    one, other = seen.values()
    assert one.std() > 0
    np.testing.assert_allclose(one, other, atol=2e-3 * np.abs(one).max())


EXPLAIN = """
import sys
import numpy as np
import nbtools as nb
model, image = nb.methods.load("nuclei2d"), nb.data.samples("nuclei2d")[0].image
from nbtools.inference import explanation
image = image.replace(pixels=image.pixels[:64, :64])
np.save(sys.argv[1], explanation.grad_cam(model, image))
"""


@pytest.mark.parametrize("backend", OTHERS)
def test_grad_cam_is_the_same_whoever_computes_the_gradient(backend, tmp_path):
    maps = []
    for each in ("tensorflow", backend):
        drive(each, "-c", EXPLAIN, tmp_path / f"{each}.npy")
        maps.append(np.load(tmp_path / f"{each}.npy"))
    assert maps[0].max() == 1
    np.testing.assert_allclose(*maps, atol=5e-3)
