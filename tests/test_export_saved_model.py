"""Twin of export.saved_model: TensorFlow runs the folder as the network does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nbtools import export, methods, runtime
from nbtools.cli import main

saved_model = runtime.load_quietly("nbtools.export.saved_model")
stock_layers = runtime.load_quietly("nbtools.export.stock_layers")

MODELS = Path(__file__).resolve().parent / "golden" / "models"
ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "nbtools":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
import numpy as np, tensorflow as tf
run = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
found = run(image=tf.constant(np.load(sys.argv[2])))["output"].numpy()
np.save(sys.argv[3], found)
"""


@pytest.mark.parametrize("name", ["unet_2D", "care_3D"])
def test_a_saved_model_predicts_what_the_network_does(tmp_path, rng, name):
    method = methods.load(MODELS / name)
    folder = export.write_model(method, tmp_path / "net", format="savedmodel")
    assert (folder / "saved_model.pb").is_file()
    run, graph = saved_model.open_saved_model(folder), stock_layers.build_graph(method)
    space = [5 * cell + 8 * cell for cell in method.field.grid]
    image = 1000 * rng.random((2, *space, graph.inputs[0].shape[-1]), np.float32)
    wanted = np.asarray(graph(image))
    (found,) = run(image)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_it_runs_where_nbtools_is_not(tmp_path, rng):
    method = methods.load(MODELS / "unet_2D")
    folder = export.write_model(method, tmp_path / "net", format="savedmodel")
    image = rng.random((1, 40, 32, 1), np.float32)
    np.save(tmp_path / "image.npy", image)
    places = [str(folder), str(tmp_path / "image.npy"), str(tmp_path / "maps.npy")]
    subprocess.run([sys.executable, "-c", ALONE, *places], check=True, capture_output=True)
    wanted = np.asarray(stock_layers.build_graph(method)(image))
    assert np.abs(np.load(tmp_path / "maps.npy") - wanted).max() < 1e-4


def test_the_command_writes_a_folder_and_replaces_only_its_own(tmp_path, capsys):
    words = ["export", str(MODELS / "unet_2D"), "--format", "savedmodel"]
    words += ["--out", str(tmp_path / "net")]
    assert main(words) == 0
    assert {"saved_model.pb", "variables"} <= {p.name for p in (tmp_path / "net").iterdir()}
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    (tmp_path / "net" / "mine.txt").write_text("kept")
    assert main([*words, "--overwrite"]) == 2
    assert (tmp_path / "net" / "mine.txt").read_text() == "kept"
