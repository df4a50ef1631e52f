"""Twin of report: one page that stands alone, says only what the folder says, and never fails for
what is absent.
"""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from nbtools import export, io, report
from nbtools.data import Sample
from nbtools.errors import UserError
from nbtools.image import RGB, Image
from nbtools.report import facts, page

RECIPE = {
    "command": "nbtools train fast_nuclei <data> --out M",
    "seed": 7,
    "fast": False,
    "inputs": [{"file": "data/images/a.tif", "sha256": "0f" * 32}],
    "steps": 100,
    "epochs": 2,
    "parameters": 1234567,
    "best": {"epoch": 2, "val_loss": 0.25},
}
MODEL = {
    "method": "fast_nuclei",
    "settings": {"batch_size": 8, "patch_size": 96, "learning_rate": 0.003, "threshold": None},
    "tuned": {"threshold": 0.45},
    "axes": "ZYX",
    "spacing": [0.5, 0.2, 0.2],
    "unit": "um",
    "versions": {"nbtools": "0.1.0", "keras": "3.15.1", "python": "3.11.7"},
}


@pytest.fixture
def model(tmp_path) -> Path:
    """A model folder as the training writes it, the network apart."""
    folder = tmp_path / "M"
    io.write_json(folder / "model.json", MODEL)
    io.write_json(folder / "recipe.json", RECIPE)
    io.write_csv(
        folder / "history.csv",
        [
            {"epoch": e, "step": 50 * e, "seconds": 3.0 * e, "loss": 1 / e, "val_loss": 0.5 / e}
            for e in (1, 2)
        ],
    )
    (folder / "weights.npz").write_bytes(b"weights")
    return folder


@pytest.fixture
def result(tmp_path) -> Path:
    """A result folder with labels, overlay, scores and mistakes."""
    pixels = np.zeros((40, 50), np.uint16)
    pixels[5:15, 5:15], pixels[20:30, 20:32] = 1, 2
    label = Image(pixels, "YX", spacing=(0.5, 0.5), name="field")
    sample = Sample("field", label.replace(pixels=pixels * 10.0), label)
    return export.save_run(
        tmp_path / "P", sample, label, {"label": [1, 2], "area_um2": [25.0, 30.0]}
    )


def read(path: Path) -> tuple[str, dict]:
    return path.read_text("utf-8"), json.loads(path.with_suffix(".json").read_text("utf-8"))


def test_the_page_of_a_model_says_settings_training_seed_versions_and_hashes(model):
    html, about = read(report.write(model))
    for words in (
        "batch size",
        "0.45",
        "1,234,567",
        "3.15.1",
        "0f" * 32,
        "10.1109/TMI.2018.2865709",
        "0.5 x 0.2 x 0.2 µm (Z, Y, X)",
    ):
        assert words in html
    assert (about["kind"], about["seed"], about["training"]["steps"]) == ("model", 7, 100)
    assert about["files"][0]["file"] == "weights.npz"
    assert html.count("<img") == 1


def test_the_page_stands_alone_and_its_pictures_are_whole(result):
    html, _ = read(report.write(result))
    assert not re.search(r"<(script|link|iframe)|src=\"(?!data:)|@import|url\(", html)
    pictures = re.findall(r"data:image/png;base64,([^\"]+)", html)
    assert len(pictures) == 4
    assert all(
        base64.b64decode(p).startswith(b"\x89PNG")
        and base64.b64decode(p).endswith(b"IEND\xaeB`\x82")
        for p in pictures
    )
    assert all(re.findall(r"<img alt=\"([^\"]+)\"", html))


def test_the_page_of_a_result_says_counts_and_scores(result):
    html, about = read(report.write(result))
    assert about["nuclei"] == 2
    assert "the mean AP over IoU thresholds from 0.5 to 0.9 was 1.000" in about["methods"]
    assert about["methods"] in html.replace("&#34;", '"')


def test_the_methods_paragraph_holds_the_numbers_of_the_run(model):
    prose = report.write_methods(facts.collect_facts(model))
    for words in (
        "1,234,567 parameters",
        "100 steps in 2 epochs",
        "batch of 8 patches of 96 px",
        "random seed 7",
        "epoch 2 were kept",
        "(0.25)",
        "threshold 0.45",
        "Keras 3.15.1",
    ):
        assert words in prose


def test_a_smoke_run_is_stamped(model):
    assert "SMOKE RUN" not in read(report.write(model))[0]
    io.write_json(model / "recipe.json", RECIPE | {"fast": True})
    html, about = read(report.write(model))
    assert 'class="stamp"' in html
    assert about["smoke_run"] is True


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"method": "unknown"},
        {"method": "otsu", "spacing": None},
        {"method": None, "settings": None},
    ],
)
def test_absent_facts_are_left_out_and_nothing_fails(tmp_path, about):
    for name in ("model.json", "result.json"):
        io.write_json(tmp_path / name / name, about)
        html, _ = read(report.write(tmp_path / name))
        assert "None" not in html
        assert "nan" not in html.lower().replace("nano", "")


def test_a_history_of_a_broken_training_does_not_cost_the_report(model):
    (model / "history.csv").write_text("epoch,loss\n")
    assert read(report.write(model))[0].count("<img") == 0
    (model / "history.csv").write_text("nothing;of\nuse;here\n")
    report.write(model)


def test_what_a_folder_says_is_text_and_never_markup(model):
    io.write_json(model / "recipe.json", RECIPE | {"command": "<script>alert(1)</script>"})
    html, _ = read(report.write(model))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_training_images_are_shown_where_they_still_are(model, tmp_path):
    files = [tmp_path / "data" / kind / "a.tif" for kind in ("images", "labels")]
    io.write_image(files[0], Image(np.eye(30, dtype=np.uint8), "YX"))
    io.write_label(files[1], Image(np.eye(30, dtype=np.uint16), "YX"))
    io.write_json(
        model / "recipe.json", RECIPE | {"inputs": [{"file": str(f), "sha256": "a"} for f in files]}
    )
    assert "Images that the model was trained on" in read(report.write(model))[0]


def test_images_left_out_of_a_prediction_are_named_with_the_reason(result):
    about = json.loads((result / "result.json").read_text())
    io.write_json(
        result / "result.json",
        about | {"failed": [{"name": "broken", "message": "An image must be whole."}]},
    )
    html, _ = read(report.write(result))
    assert "broken" in html
    assert "An image must be whole." in html


def test_a_long_list_of_images_is_cut_and_says_so(result):
    io.write_csv(
        result / "summary.csv",
        [{"name": f"image {i}", "nuclei": 1, "seconds": 0.1} for i in range(80)],
    )
    html, about = read(report.write(result))
    assert "50 of 80 are shown" in html
    assert about["nuclei"] == 80


def test_a_pdf_has_the_words_and_a_page_for_each_picture(result):
    report.write(result, pdf=True)
    content = (result / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", content)) == 5


def test_an_earlier_report_is_replaced_and_no_other_file_touched(model):
    before = {p.name: p.read_bytes() for p in model.iterdir()}
    report.write(model)
    report.write(model)
    after = {p.name: p.read_bytes() for p in model.iterdir()}
    assert set(after) - set(before) == {".nbtools.jsonl", "report.html", "report.json"}
    assert all(after[name] == content for name, content in before.items())


def test_a_folder_that_is_no_run_is_refused_in_words(tmp_path):
    with pytest.raises(UserError, match="a model, a result or a comparison"):
        report.write(tmp_path)
    (tmp_path / "model.json").write_text("{broken")
    with pytest.raises(UserError, match="valid JSON"):
        report.write(tmp_path)


def test_values_are_said_as_a_reader_expects():
    assert [page.format_setting(v) for v in (None, True, 0.25, [16, 32], "small")] == [
        "auto",
        "yes",
        "0.25",
        "16 x 32",
        "small",
    ]


@pytest.fixture
def restorer(tmp_path) -> Path:
    """A model that restores, with the images it learned from beside it."""
    field = Image(np.random.default_rng(0).integers(90, 120, (40, 50), dtype=np.uint16), "YX")
    for part in ("images", "clean"):
        io.write_image(tmp_path / "set" / part / "a.tif", field)
    files = [
        {"file": str(tmp_path / "set" / part / "a.tif"), "sha256": "0f" * 32}
        for part in ("images", "clean")
    ]
    scale = {"how": "of the whole training set", "offset": [104.5], "factor": [8.66]}
    io.write_json(
        tmp_path / "R" / "model.json",
        MODEL
        | {"method": "n2v", "settings": {"keep": "last"}, "tuned": {}, "normalisation": scale},
    )
    io.write_json(tmp_path / "R" / "recipe.json", RECIPE | {"inputs": files})
    scores = {
        "images": 2,
        "range": "255",
        "interval_95": {"psnr": [30.0, 32.0]},
        "mean": {"psnr": 31.25, "ssim": 0.9},
    }
    io.write_json(tmp_path / "R" / "scores.json", scores | {"input": {"psnr": 22.5, "ssim": 0.4}})
    return tmp_path / "R"


def test_the_report_of_a_restoring_model_speaks_of_grey_values_and_shows_clean_partners(restorer):
    html, about = read(report.write(restorer))
    assert (
        "Grey values were normalised by subtracting 104.5 and dividing by 8.66 (of the whole "
        "training set)." in about["methods"]
    )
    assert "The last weights were kept." in about["methods"]
    assert (
        "PSNR was 31.25 dB (bootstrap, 95 % interval 30.00 to 32.00) and SSIM 0.900, from 22.50 dB"
        in about["methods"]
    )
    assert "range: 255" in about["methods"]
    assert "trained on (1 of 1), and their clean partners." in html
    assert dict(page.key_numbers(about))["PSNR in dB"] == "31.25"


def test_the_report_of_restored_images_counts_images_not_nuclei(tmp_path):
    restored = {
        "method": "n2v",
        "images": [{"name": "a", "seconds": 1.0}, {"name": "b", "seconds": 1.0}],
        "axes": "YX",
    }
    io.write_json(tmp_path / "P" / "result.json", restored)
    _, about = read(report.write(tmp_path / "P"))
    assert about["methods"].startswith('2 images were restored with "Noise2Void')
    assert "nuclei" not in dict(page.key_numbers(about))


def fill_result(folder: Path, *, warnings=(), model=None, **more) -> Path:
    """A result of two images as `nbtools predict` writes it, as far as the report reads it."""
    rows = [{"name": name, "nuclei": n, "seconds": 0.5} for name, n in (("a", 12), ("b", 0))]
    about = {"method": "otsu", "model": model, "axes": "YX", "images": rows, **more}
    io.write_json(folder / "result.json", about | {"warnings": list(warnings)})
    io.write_csv(folder / "summary.csv", rows)
    picture = Image(np.full((30, 40, 3), 90, np.uint8), "YXC", channels=RGB)
    for name in "ab":
        io.write_image(folder / "overlays" / f"{name}.png", picture)
    return folder


def test_the_result_is_on_the_first_screen_and_settings_at_the_end(result):
    html, _ = read(report.write(result))
    order = ["<h1>", 'class="numbers"', "Figure 1.", "<h2>Images", "<h2>Scores", "<h2>Methods"]
    places = [html.index(words) for words in order]
    assert places == sorted(places)
    assert html.index("<h2>Versions") > html.index("<h2>Methods")
    assert "field: 2 nuclei found" in html


def test_figures_are_numbered_in_their_order_on_the_page(result):
    html, _ = read(report.write(result))
    numbers = [int(n) for n in re.findall(r"<b>Figure (\d+)\.</b> \S", html)]
    assert numbers == list(range(1, html.count("<img") + 1))


def test_doubtful_images_are_flagged_in_their_row(tmp_path):
    doubt = {"code": "nothing_found", "image": "b", "message": "No nuclei in b.", "remedy": "Look."}
    folder = fill_result(tmp_path / "P", warnings=[doubt])
    html, about = read(report.write(folder))
    assert about["flags"] == {"b": ["No nuclei in b."]}
    [row] = re.findall(r'<tr class="flagged">(.*?)</tr>', html, re.DOTALL)
    assert "No nuclei in b." in row
    assert dict(page.key_numbers(about))["images flagged"] == "1"


def test_a_result_that_nobody_looked_over_has_no_flags(result):
    assert "flags" not in read(report.write(result))[0].replace("flagged td", "")


def test_the_weights_that_were_used_are_named_with_their_hash_data_and_score(tmp_path):
    weights = facts.find_weights_hash("nuclei2d")
    html, about = read(report.write(fill_result(tmp_path / "P", model="nuclei2d")))
    assert f"The weights nuclei2d (sha256 {weights[:16]}…) learned from: Data Science" in html
    assert about["weights_sha256"] == weights
    assert "Not scored: nobody has labelled nuclei of these images" in html
    assert "Elsewhere, nuclei2d scored: on the 41 test images" in html
    assert "**" not in html


def test_a_model_of_ones_own_says_what_it_began_with_and_saw(tmp_path, model):
    about = RECIPE | {"init": {"method": "flows", "model": "nuclei2d"}}
    io.write_json(model / "recipe.json", about)
    html, _ = read(report.write(fill_result(tmp_path / "P", model=str(model))))
    told = "their training began with nuclei2d, learned for 100 steps, saw 1 image with labels."
    assert told in html
    assert "<th>used in training</th>" in html  # images/a.tif stands in its recipe, b does not
    assert html.count("<td>yes</td>") == html.count("<td>no</td>") == 1


def test_labels_are_never_shown_as_results(model, tmp_path):
    files = [tmp_path / "data" / kind / "a.tif" for kind in ("images", "labels")]
    io.write_image(files[0], Image(np.eye(30, dtype=np.uint8), "YX"))
    io.write_label(files[1], Image(np.eye(30, dtype=np.uint16), "YX"))
    inputs = [{"file": str(f), "sha256": "a"} for f in files]
    io.write_json(model / "recipe.json", RECIPE | {"inputs": inputs})
    html, _ = read(report.write(model))
    assert html.index("<h2>Training images") > html.index("<h2>Training<")
    assert "These were given to it: they are no results." in html
    assert "<h2>Examples" not in html


def test_a_volume_turns_in_the_report(tmp_path):
    folder = fill_result(tmp_path / "P", axes="ZYX", spacing=[1.0, 0.5, 0.5])
    label = np.zeros((6, 20, 24), np.uint16)
    label[2:4, 5:12, 5:12], label[3:5, 12:18, 14:20] = 1, 2
    io.write_label(folder / "a.tif", Image(label, "ZYX", (1.0, 0.5, 0.5)))
    html, _ = read(report.write(folder))
    assert "a: the nuclei found, turning about y" in html
    assert "12 nuclei found, projections and slices" in html
    pictures = [base64.b64decode(p) for p in re.findall(r"data:image/png;base64,([^\"]+)", html)]
    assert sum(b"acTL" in p for p in pictures) == 1  # one is animated


def test_the_page_has_colours_for_dark_screens(result):
    html, _ = read(report.write(result))
    assert "prefers-color-scheme: dark" in html
    style = html[html.index("</style>") :]
    assert not re.search(r"color:\s*#", style)
