"""The forecast of memory before a prediction: against what a process really takes, refused where it
cannot fit, and said.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nbtools import methods, runtime
from nbtools.errors import UserError
from nbtools.image import Image

MEASURE = """
import json, re
import numpy as np
from nbtools import methods
from nbtools.image import Image

def peak():  # of this program; that of `resource` begins with the peak of its parent
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

model, rng = methods.load("nuclei2d"), np.random.default_rng(0)
small = Image(rng.random((64, 64), dtype=np.float32), "YX")
model.predict(small)  # libraries are loaded, and count no more
pixels = np.kron(rng.random((12, 12)) < 0.3, np.ones((112, 112)))
pixels = pixels + rng.normal(0, 0.02, (1344, 1344))
image = Image(pixels.astype(np.float32), "YX")
told, before = model.forecast(image), peak()
model.predict(image)
print(json.dumps({"told": told.needed, "taken": peak() - before}))
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").is_file(),
    reason="only Linux says there what a program took at most",
)
def test_the_forecast_is_within_a_factor_of_two_of_what_a_prediction_takes():
    found = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    ).stdout
    measured = json.loads(found.splitlines()[-1])
    assert 0.5 < measured["told"] / measured["taken"] < 2, measured


def test_a_prediction_that_cannot_fit_is_refused_before_it_starts(monkeypatch, rng):
    model, image = methods.load("nuclei2d"), Image(rng.random((600, 600), dtype=np.float32), "YX")
    monkeypatch.setattr(runtime, "memory", lambda: runtime.Memory(runtime.GB, 10_000_000, 0))
    with pytest.raises(
        UserError, match="must fit into the memory that is free. Received: .* tiles of"
    ):
        model.predict(image)
    with pytest.raises(UserError, match="Leave out tile"):
        model.predict(image, tile=(592, 592))


def test_a_prediction_says_before_it_starts_what_it_will_need(run, tmp_path, nuclei):
    code, _, err = run("predict", "nuclei2d", nuclei, "--out", tmp_path / "p", "--tile", "64,64")
    told = [line for line in err.splitlines() if "GB of memory" in line]
    assert code == 0
    assert len(told) == 1  # images of one size need the same, said once
    assert (
        "1 tile of 96 x 96 px" in told[0]
    )  # the field of the network needs more than was asked for
    assert err.index(told[0]) < err.index("1 of 3")
