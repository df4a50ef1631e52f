"""Files that nobody should have saved that way: each is a finding, or one message with a remedy,
and never a traceback.
"""

import json

import numpy as np
import pytest
import tifffile

from nbtools import cli

SIZE = 64


def discs() -> np.ndarray:
    """Four discs, numbered 1 to 4."""
    y, x = np.mgrid[:SIZE, :SIZE]
    label = np.zeros((SIZE, SIZE), np.uint16)
    for number, (cy, cx) in enumerate([(14, 14), (14, 46), (46, 14), (46, 46)], 1):
        label[(y - cy) ** 2 + (x - cx) ** 2 < 81] = number
    return label


def picture(label: np.ndarray) -> np.ndarray:
    """A noisy image of the discs."""
    return (
        (50 + 120 * (label > 0) + np.random.default_rng(0).normal(0, 8, label.shape))
        .clip(0, 255)
        .astype(np.uint8)
    )


def write(folder, *, image=None, label=None, names=("a", "a")):
    """A data set with three good samples and one bad one."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for number in range(3):
        tifffile.imwrite(
            folder / "images" / f"good{number}.tif", np.roll(picture(discs()), 3 * number, 0)
        )
        tifffile.imwrite(folder / "labels" / f"good{number}.tif", np.roll(discs(), 3 * number, 0))
    for kind, name, content in (("images", names[0], image), ("labels", names[1], label)):
        path = folder / kind / f"{name}.tif"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            tifffile.imwrite(
                path, content, photometric="rgb" if content.shape[-1:] == (3,) else "minisblack"
            )
    return folder


def truncated() -> bytes:
    import io

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, picture(discs()))
    return buffer.getvalue()[:600]


NAN = np.where(discs() == 1, np.nan, picture(discs())).astype(np.float32)
PARTS = np.where(discs() == 4, 3, discs())
BAD = {
    "empty file": {"image": b"", "label": discs()},
    "truncated file": {"image": truncated(), "label": discs()},
    "text named tif": {"image": b"name,value\n1,2\n", "label": discs()},
    "colours": {
        "image": np.dstack([picture(discs()), picture(discs()) // 2, picture(discs()) // 3]),
        "label": discs(),
    },
    "not a number": {"image": NAN, "label": discs()},
    "five dimensions": {"image": np.zeros((2, 2, 2, SIZE, SIZE), np.uint8), "label": discs()},
    "unequal shapes": {"image": picture(discs()), "label": discs()[:-4]},
    "foreign names": {"image": picture(discs()), "label": discs(), "names": ("a", "b")},
    "no label": {"image": picture(discs())},
    "blank image": {"image": np.full((SIZE, SIZE), 7, np.uint8), "label": discs()},
    "binary mask": {"image": picture(discs()), "label": (discs() > 0).astype(np.uint8) * 255},
    "float labels": {"image": picture(discs()), "label": discs() + np.float32(0.5)},
    "label in parts": {"image": picture(discs()), "label": PARTS},
    "tiny image": {"image": picture(discs())[:9, :9], "label": discs()[:9, :9]},
}


@pytest.fixture(params=BAD, ids=lambda name: name.replace(" ", "_"))
def bad(request, tmp_path):
    """A data set with one bad sample."""
    return write(tmp_path / "data", **BAD[request.param])


def told(capsys) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_it_is_a_finding_with_a_remedy(bad, capsys):
    code = cli.main(["check", str(bad), "--for", "fast_nuclei", "--json"])
    out, err = told(capsys)
    document = json.loads(out)
    assert code in (1, 2), document
    assert "Traceback" not in err
    if code == 1:
        finding = next(f for f in document["findings"] if f["severity"] in ("error", "warning"))
        assert finding["message"]
        assert finding["remedy"]


def test_predicting_goes_on_with_the_others(bad, capsys, tmp_path):
    code = cli.main(
        ["predict", "otsu", str(bad / "images"), "--out", str(tmp_path / "result"), "--json"]
    )
    out, err = told(capsys)
    assert code in (0, 1), err
    assert "Traceback" not in err
    document = json.loads(out)
    assert len(document["images"]) + len(document["failed"]) == len(
        list((bad / "images").iterdir())
    )
    assert len(document["images"]) >= 3
    assert (code == 1) == bool(document["failed"])


def test_a_method_is_trained_or_refuses_in_one_message(bad, capsys, tmp_path):
    code = cli.main(["train", "otsu", str(bad), "--out", str(tmp_path / "model"), "--quiet"])
    _out, err = told(capsys)
    assert code in (0, 2), err
    if code == 2:
        assert len(err.strip().splitlines()) == 1
        assert not (tmp_path / "model").exists()


def test_evaluating_such_labels_never_ends_in_a_traceback(bad, capsys):
    code = cli.main(["evaluate", str(bad / "labels"), str(bad), "--quiet"])
    _, err = told(capsys)
    assert code in (0, 1, 2), err


def test_measuring_such_labels_never_ends_in_a_traceback(bad, capsys, tmp_path):
    code = cli.main(
        [
            "measure",
            str(bad / "labels"),
            "--images",
            str(bad / "images"),
            "--out",
            str(tmp_path / "n.csv"),
            "--quiet",
        ]
    )
    _, err = told(capsys)
    assert code in (0, 1, 2), err


@pytest.mark.parametrize("place", ["nothing in it", "no images"])
def test_a_folder_without_images_is_refused(place, tmp_path, capsys):
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    if place == "no images":
        (folder / "images" / "notes.txt").write_text("nothing")
    assert cli.main(["predict", "otsu", str(folder), "--out", str(tmp_path / "result")]) == 2
    assert cli.main(["train", "otsu", str(folder), "--out", str(tmp_path / "model")]) == 2
    assert cli.main(["check", str(folder)]) in (1, 2)
    assert "Traceback" not in told(capsys)[1]
    assert not (tmp_path / "result").exists()


def test_a_model_folder_without_a_model_is_refused(tmp_path, capsys):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{")
    assert (
        cli.main(
            ["predict", str(tmp_path / "model"), str(tmp_path), "--out", str(tmp_path / "result")]
        )
        == 2
    )
    assert "Received" in told(capsys)[1]
