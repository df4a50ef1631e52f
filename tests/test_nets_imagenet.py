"""Weights of ImageNet: downloaded from a server on this machine, checked, and copied."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from test_data_registry import server  # noqa: F401

from nbtools import data, methods
from nbtools.errors import UserError
from nbtools.image import Image
from nbtools.nets import imagenet
from nbtools.nets.pooled import make_trunk

NAME = "efficientnetb0"  # the smallest of them


def make_images() -> data.DataSet:
    rng = np.random.default_rng(0)
    found = []
    for i in range(4):
        image = Image(rng.normal(100, 9, (32, 32)).astype(np.float32), "YX", name=f"n{i}")
        found.append(data.Sample(f"n{i}", image, class_name="ab"[i % 2]))
    return data.DataSet.of(found)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as that of Keras, of random weights."""
    path = tmp_path_factory.mktemp("w") / "b0.weights.h5"
    trunk = make_trunk(NAME, channels=3)
    trunk.get_layer("stem_conv").kernel.assign_add(np.ones((3, 3, 3, 32)))
    legacy = pytest.importorskip("keras.src.legacy.saving.legacy_h5_format")
    h5py = pytest.importorskip("h5py")
    path = path.with_name("b0_notop.h5")
    with h5py.File(path, "w") as file:
        legacy.save_weights_to_hdf5_group(file, trunk)
    return path, trunk


def test_a_classifier_begins_with_downloaded_weights(weights, server, tmp_path, monkeypatch):  # noqa: F811
    pytest.importorskip("pooch")
    path, trunk = weights
    server.content["/b0_notop.h5"] = content = path.read_bytes()
    url = f"http://127.0.0.1:{server.server_port}/b0_notop.h5"
    known = replace(imagenet.FILES[NAME], url=url, md5="0" * 32)
    monkeypatch.setitem(imagenet.FILES, NAME, known)
    method = methods.get("efficientnet")(preset="paper", freeze_encoder=True)
    with pytest.raises(UserError, match="known md5"):
        method.start_from_imagenet(tmp_path)
    right = replace(known, md5=hashlib.md5(content).hexdigest())
    monkeypatch.setitem(imagenet.FILES, NAME, right)
    terms = method.start_from_imagenet(tmp_path)
    assert "Apache 2.0" in terms
    assert "not commercial" in terms
    method.begin_fit(make_images())
    method.model = method.build()
    method.prepare_network()
    theirs = trunk.get_layer("top_conv").get_weights()[0]
    np.testing.assert_array_equal(method.model.get_layer("enc0_top_conv").get_weights()[0], theirs)
    kernel = method.model.get_layer("enc0_stem_conv").get_weights()[0]
    wanted = trunk.get_layer("stem_conv").get_weights()[0].sum(axis=2, keepdims=True)
    np.testing.assert_allclose(kernel, wanted, rtol=1e-5)
    assert not method.model.get_layer("enc0_top_conv").trainable


def test_the_first_convolution_gives_of_scaled_colours_what_it_gave_of_its_own(rng):
    kernel, colours = rng.normal(size=(3, 3, 3, 5)), rng.normal(size=(3, 3, 3))
    own = (colours * imagenet.SPREAD)[..., ::-1]  # blue, green, red, in steps around the mean
    ours = imagenet.adapt_kernel(kernel, 3, caffe=True)
    np.testing.assert_allclose(
        np.einsum("yxc,yxcf->f", colours, ours), np.einsum("yxc,yxcf->f", own, kernel)
    )
    grey = rng.normal(size=(3, 3, 1))
    for channels in (1, 4):
        one = imagenet.adapt_kernel(kernel, channels, caffe=False)
        found = np.einsum("yxc,yxcf->f", np.repeat(grey, channels, axis=2), one)
        wanted = np.einsum("yxc,yxcf->f", np.repeat(grey, 3, axis=2), kernel)
        np.testing.assert_allclose(found, wanted)


def test_weights_of_another_network_are_refused(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match="holds those of the network"):
        imagenet.copy_imagenet(None, NAME, path=tmp_path / "w.h5")


def test_only_published_networks_begin_with_them(run, tmp_path):
    with pytest.raises(UserError, match="preset small"):
        methods.get("resnet")(preset="small").start_from_imagenet(tmp_path)
    data.write_dataset(make_images(), tmp_path / "set")
    about = ["--init", "imagenet", "--out", tmp_path / "m"]
    code, _, told = run("train", "feature_forest", tmp_path / "set", *about)
    assert code == 2
    assert "are for classifiers" in told


def test_addresses_and_checksums_are_those_of_keras():
    densenet = pytest.importorskip("keras.src.applications.densenet")
    efficientnet = pytest.importorskip("keras.src.applications.efficientnet")
    resnet = pytest.importorskip("keras.src.applications.resnet")
    vgg = pytest.importorskip("keras.src.applications.vgg16")
    files = imagenet.FILES
    assert files["vgg16"].url == vgg.WEIGHTS_PATH_NO_TOP
    assert files["densenet121"].url == densenet.DENSENET121_WEIGHT_PATH_NO_TOP
    assert files["resnet50"].url.startswith(resnet.BASE_WEIGHTS_PATH + "resnet50_weights")
    assert files["resnet50"].md5 == resnet.WEIGHTS_HASHES["resnet50"][1]
    assert files[NAME].url == efficientnet.BASE_WEIGHTS_PATH + "efficientnetb0_notop.h5"
    assert files[NAME].md5 == efficientnet.WEIGHTS_HASHES["b0"][1]
