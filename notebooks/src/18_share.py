# %% [markdown]
# # 18 · Share
#
# **You will be able to** hand a model to others so that it gives them what it gives
# you, bring in models of others, send results to Fiji, QuPath and a spreadsheet, and
# make a data set ready for a repository.
#
# 5 minutes on any computer; no graphics card, no internet connection. The review
# (Mougeot et al. 2022, doi:10.1242/jcs.258986) asked 101 papers for ten elements that
# reuse needs; four papers had them all. Packages of bioimage.io after Ouyang et al.
# 2022 (doi:10.1101/2022.06.07.495102).

# %% cellView="form" tags=["skip-execution"]
# @title Install (on Colab; elsewhere this does nothing) { display-mode: "form" }
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic(
        "pip", 'install "nbtools[export] @ git+https://github.com/OWNER/REPOSITORY"'
    )

# %%
import zipfile
from pathlib import Path

import nbtools as nb
import numpy as np

# %% [markdown]
# ## 1. What reuse needs
# Code alone is not enough: anyone who wants to use a method needs its explanation, its
# environment, the trained model and the images it was trained on. Here are the ten
# elements of `fast_nuclei`, the method of the weights `nuclei2d_small` in lesson 10,
# and where each of them lies.

# %%
passport = nb.methods.describe("fast_nuclei")["passport"]

# %% tags=["exercise"]
there = sum(bool(where) for where in passport.values())
question = f"Of {len(passport)} elements, how many does it come with?"
nb.widgets.guess(question, there)

# %%
nb.show.table(
    {"element": list(passport), "where": [w or "missing" for w in passport.values()]}
)

# %% [markdown]
# **Your turn:** put `otsu` in place of `fast_nuclei`. Where do the elements of training
# lead, and why there? Then look at a paper of your field: which elements does it lack?
#
# ## 2. A model as a package
# A **package** of bioimage.io is a zip that other programs understand: weights, how
# grey values are scaled before the network, which sizes it takes, and a pair of test
# images. The weights are in it twice: for Keras, and as **ONNX**, a file of standard
# operations that programs in Python, C++ and other languages run without this toolkit.
# Fiji (DeepImageJ) takes less than the format allows: for it there is
# `format="deepimagej"`.

# %%
model = nb.methods.load("nuclei2d")
card = nb.export.ModelCard(
    name="Nuclei in 2D fluorescence",
    description="Foreground and flows of nuclei in planes.",
    authors=("The nbtools authors",),
    licence="CC0-1.0",
)
Path("runs/18").mkdir(parents=True, exist_ok=True)
path = nb.export.write_model(model, "runs/18/nuclei", format="bioimageio", card=card)
with zipfile.ZipFile(path) as package:
    rows = [{"file": f.filename, "kB": f.file_size // 1000} for f in package.filelist]
    readme = package.read("README.md").decode()

# %% tags=["exercise"]
names = [row["file"] for row in rows]
largest = max(rows, key=lambda row: row["kB"])["file"]
nb.widgets.guess("Which file of the package is largest?", largest, choices=names)

# %%
nb.show.table(rows)

# %% [markdown]
# What the format cannot say is said in its README, with the difference that it makes.

# %%
print(readme[readme.index("# Validation") :])

# %% [markdown]
# ## 3. Is it the same model?
# Never believe an export: compare. We bring the package back in as a stranger would,
# from its ONNX weights, and let both predict the same image.

# %%
import_code = nb.cli.main(["import", str(path), "--out", "runs/18/theirs", "--quiet"])
theirs = nb.methods.load("runs/18/theirs")
sample = nb.data.samples("nuclei2d")[0]
pixels = sample.image.pixels[..., None].astype(np.float32)
ours_maps, their_maps = model.infer(pixels), theirs.infer(pixels)
apart = np.abs(ours_maps[..., 0] - their_maps[..., 0])

# %% tags=["exercise"]
choices = ("above 0.1", "from 0.0001 to 0.1", "below 0.0001")
biggest = choices[int(apart.max() < 0.1) + int(apart.max() < 1e-4)]
nb.widgets.guess("The largest difference in any pixel?", biggest, choices=choices)

# %%
print(f"largest difference of the foreground: {apart.max():.1e}")
views = {}
for name, maps in (("here", ours_maps), ("from the package", their_maps)):
    views[name] = sample.image.replace(pixels=maps[..., 0])
nb.show.images(views)

# %% [markdown]
# Foreground is a number from 0 to 1: to four digits, both are the same. What may differ
# is the grey scale: this toolkit leaves out defects of an image (hot pixels, stripes,
# empty margins) before it takes percentiles, which the format cannot express. This
# image has none.
#
# ## 4. Break it: forget the grey scale
# A package says how grey values are scaled, but not every program reads it. **Guess**:
# what does the network find where the raw grey values go straight in?

# %%
raw = theirs.tiles(theirs.run_tile, pixels)
share, without = (their_maps[..., 0] > 0.5).mean(), (raw[..., 0] > 0.5).mean()

# %% tags=["exercise"]
question = f"With the scale, {share:.0%} of the image is foreground. Without it?"
nb.widgets.guess(question, 100 * without, unit="%")

# %%
print(f"foreground with the scale: {share:.0%} of the image, without: {without:.0%}")
views = {}
for name, maps in (("with the scale", their_maps), ("without", raw)):
    views[name] = sample.image.replace(pixels=maps[..., 0])
nb.show.images(views)

# %% [markdown]
# No error, no warning, another result. That is why a package carries a test image with
# its output: the first thing to do with a model of others is to run that pair.
#
# ## 5. Results for other programs
# One verb on the command line: `nbtools export RESULT --format …`. In Python:

# %%
found = model.predict(sample.image)
readers = {sample.name: lambda: found.labels}
rows = []
for format in ("rois", "geojson", "coco", "nrrd"):
    suffix = nb.export.LABEL_FORMATS[format][0]
    out = Path("runs/18") / f"{sample.name}{suffix}"
    nb.export.write_labels(readers, out, format=format)
    rows.append({"format": format, "file": out.name, "kB": out.stat().st_size // 1000})
nb.show.table(rows)

# %%
nb.show.overlay(sample.image, found.labels)

# %% [markdown]
# `cellpose` writes masks that Cellpose loads, `napari` a file that napari opens as
# labels, `ome-zarr` a pyramid, also into the folder of the image (`--out
# IMAGE.zarr/labels/nuclei`), and `omero` a table that OMERO attaches to its images.
# `rois` opens in Fiji, `geojson` in QuPath, `nrrd` in 3D Slicer; volumes also go as
# surfaces (`ply`, `stl`, `vtk`: one per nucleus, in µm). Tables go as Parquet, or as
# CSV with the separator and decimal mark of your spreadsheet: `--format csv --decimal
# comma`.
#
# **Exercise.** A pathologist wants the outlines in QuPath. Which format? Choose:
# "rois", "geojson" or "nrrd".
#
# <details><summary>Solution</summary>
#
# "geojson". Drop the file on the open image in QuPath.
# </details>

# %% [markdown]
# ## 6. Data ready for a repository
# `nbtools deposit` (here `write_deposit`) makes a folder for Zenodo or the BioImage
# Archive: data, a card under the headings that repositories ask for, checksums, and a
# description that machines read (an **RO-Crate**), and tables for the Image Data
# Resource. What only you know is asked for: on the command line one question after the
# other with `--ask`, here in a form.

# %%
dataset = nb.data.samples("simulated2d")
form = nb.widgets.fill_deposit(dataset, "runs/18/deposit")

# %% tags=["exercise"]
question = "How many questions will be left that only you can answer?"
nb.widgets.guess(question, len(form.missing))

# %% [markdown]
# The form has a field for each of them. Its button writes the folder with your answers,
# as often as you like, and lists what others would still miss. A cell can write it,
# too; without an answer the card of the data set says what is to be filled in.

# %%
form.write()
print("Still to be answered:", ", ".join(form.missing))
print("Faults of the RO-Crate:", nb.data.check_crate(Path("runs/18/deposit")))
form

# %% [markdown]
# **Exercise.** Fill in title and authors (two of them), write again, and look for both
# names in `runs/18/deposit/ro-crate-metadata.json`. Which findings have gone?
#
# <details><summary>Solution</summary>
#
# Those of title and authors: without these two no repository takes a data set. The
# names stand in the crate as two persons, and in `dataset.toml` as a list.
# </details>

# %% [markdown]
# ## You now have
# a model as a package whose weights you compared yourself, a model of others that
# predicts here, results for Fiji, QuPath and 3D Slicer, and a data set that a
# repository can take. The review's ten elements are a table that you can fill in for
# your own paper, and `nbtools report` writes the methods paragraph.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. You share weights and code. A colleague gets other numbers. Where
# do you look first?</summary>
#
# At the grey scale and the pixel size of the images: both are outside the network, and
# neither gives an error. Then at the decoding: a threshold of 0.5 here may be 0.6
# there.
# </details>
#
# <details><summary>2. Why do checksums belong to a data set?</summary>
#
# They say whether the files are those of the paper. Without them nobody notices that
# a label image was corrected between the first and the second download.
# </details>
#
# <details><summary>3. A package on the web has weights for PyTorch only. Why is it
# refused here?</summary>
#
# Such weights need the code of the network, which would be run on your computer. An
# ONNX file is data alone. Ask the authors for ONNX, or use the program it is made for.
# </details>
#
# **Where next:** `19_large_images`: images that do not fit into the memory.
