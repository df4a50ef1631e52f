# %% [markdown]
# # 19 · Large images
#
# **You will be able to** predict, measure and store an image that does not fit into the
# memory, and say why naive tiles cut nuclei.
#
# 5 minutes on any computer; no graphics card, no internet connection. Chunked files
# after Moore et al. 2021 (doi:10.1038/s41592-021-01326-w, OME-Zarr).

# %% cellView="form" tags=["skip-execution"]
# @title Install (on Colab; elsewhere this does nothing) { display-mode: "form" }
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic(
        "pip", 'install "nbtools[bigdata] @ git+https://github.com/OWNER/REPOSITORY"'
    )

# %%
from pathlib import Path

import nbtools as nb
import numpy as np
import psutil

# %% [markdown]
# ## 1. How large is too large?
# A pixel of the file is one or two bytes; while nuclei are found in it, it takes many
# more. For the classical method of lesson 00 that was measured:

# %%
otsu = nb.methods.load("otsu")
rows = []
for side in (1_000, 5_000, 20_000, 100_000):
    file, needed = 2 * side**2 / 1e9, otsu.bytes_per_pixel * side**2 / 1e9
    rows.append({"side, px": side, "file, GB": file, "in memory, GB": needed})

# %% tags=["exercise"]
question = "A slide of 20,000 x 20,000 pixels. The memory that Otsu's method needs?"
nb.widgets.guess(question, rows[2]["in memory, GB"], unit="GB")

# %%
print(f"free here: {nb.runtime.memory().available / 1e9:.1f} GB")
nb.show.table(rows)

# %% [markdown]
# ## 2. An image that stays in its file
# We mirror a sample again and again until it is 1,800 x 1,800 pixels: small enough to
# be predicted in one piece as well, so that we can compare. Opened with `stored=True`,
# its pixels stay in the file; what is asked for is read, and nothing else.

# %%
sample = nb.data.samples("simulated2d")[0]
grey = sample.image.pixels
missing = [(0, 1800 - side) for side in grey.shape]
large = sample.image.replace(pixels=np.pad(grey, missing, mode="symmetric"))
Path("runs/19").mkdir(parents=True, exist_ok=True)
nb.io.write_image("runs/19/large.tif", large)
stored = nb.io.open_image("runs/19/large.tif", stored=True).image
print(type(stored.pixels).__name__, stored.pixels.shape)
nb.show.images(large.replace(pixels=stored.pixels[600:900, 600:900]))

# %% tags=["exercise"]
read = 100 * 300 * 300 / (1800 * 1800)
nb.widgets.guess("Which share of the pixels is shown here?", read, unit="%")

# %% [markdown]
# ## 3. Break it: cut it into four
# The first idea that everybody has: cut the image, predict the pieces, put them
# together. **Guess**: how does the number of nuclei change?

# %%
whole = otsu.predict(large).labels
naive = np.zeros(large.shape, np.int32)
for rows_ in (slice(0, 900), slice(900, 1800)):
    for columns in (slice(0, 900), slice(900, 1800)):
        piece = large.replace(pixels=large.pixels[rows_, columns])
        label = otsu.predict(piece).labels.pixels
        naive[rows_, columns] = label + naive.max() * (label > 0)

# %% tags=["exercise"]
more = int(naive.max() - whole.pixels.max())
question = f"In one piece: {whole.pixels.max()} nuclei. In four pieces, how many more?"
nb.widgets.guess(question, more, unit="more")

# %%
print(f"in one piece: {whole.pixels.max()} nuclei, in four pieces: {naive.max()}")

# %%
seam = (slice(870, 930), slice(420, 620))
part = large.replace(pixels=large.pixels[seam])
nb.show.overlay(part, part.replace(pixels=naive[seam]), title="cut at row 30")

# %% [markdown]
# Nuclei on the cut are counted twice, and are too small in the table. With more pieces
# there are more of them.
#
# ## 4. Blocks that look over their border
# The remedy: each **block** is predicted with a rim of its surroundings, the **halo**;
# objects of neighbouring blocks that share more than half of their pixels in the halo
# are one. Threshold and grey scale are decided once for the whole image, never per
# block. Here we allow little memory, so that there are several blocks.

# %%
used = psutil.Process().memory_info().rss
nb.runtime.set_environment(NBTOOLS_MEMORY=str(used + 200_000_000))
predicted = nb.methods.large.predict_stored(otsu, stored, say=print)
nb.runtime.set_environment(NBTOOLS_MEMORY=None)
blocks = predicted.labels.pixels[...].astype(np.int32)

# %%
rows = []
for name, label in (("four pieces", naive), ("blocks", blocks)):
    score = nb.metrics.instances.score(whole.pixels, label, iou=0.9)
    rows.append({"way": name, "nuclei": int(label.max()), "AP at IoU 0.9": score.ap})

# %% tags=["exercise"]
question = "One piece is the truth now. The AP of four pieces, at an IoU of 0.9?"
nb.widgets.guess(question, rows[0]["AP at IoU 0.9"])

# %%
nb.show.table(rows)

# %% [markdown]
# Far more nuclei of the four pieces differ than lie on the cuts: each piece has also
# found a threshold of its own, and drawn its outlines by it.

# %%
nb.show.overlay(part, part.replace(pixels=blocks[seam]), title="no seam")

# %% [markdown]
# ## 5. A file for large images
# **OME-Zarr** stores an image as a folder of **chunks**: a program reads the few that
# it shows. napari, Fiji and others open it; so does every verb of this toolkit. Large
# images come with a **pyramid**: each level has half the rows and columns of the one
# before, so that a viewer shows the whole at once.

# %%
nb.io.write_label("runs/19/labels.ome.zarr", whole.replace(pixels=blocks))
back = nb.io.read_label("runs/19/labels.ome.zarr")
files = [p for p in Path("runs/19/labels.ome.zarr").rglob("*") if p.is_file()]

# %% tags=["exercise"]
nb.widgets.guess("Of how many files does this one image consist?", len(files))

# %%
print(f"{len(files)} files, the same labels: {np.array_equal(back.pixels, blocks)}")
coarse = nb.io.open_image("runs/19/labels.ome.zarr", level=1).image
print(f"level 0: {back.shape} px, level 1: {coarse.shape} px")

# %%
table = nb.measure.measure(back, large)
shown = ("label", "y", "x", "area_um2", "elongation", "touches_border")
nb.show.table({name: table[name] for name in shown}, limit=4)

# %% [markdown]
# On the command line all of this is done by itself where an image is too large; a
# stopped run goes on with `--resume`. The environment variable `NBTOOLS_MEMORY` (as in
# `4G`) says how much may be taken.
#
# ```
# nbtools predict otsu large.tif --out result
# nbtools predict otsu large.tif --out result --resume
# nbtools measure result --images large.tif --out result/nuclei.csv
# ```
#
# What does not work in blocks is refused before it begins: movies, and methods that
# need the image as a whole.
#
# ## 6. More than one worker
# Blocks are independent of each other, so several processes, or the nodes of a cluster,
# compute them side by side. The labels are the same bit for bit, whatever the number of
# workers; if one is lost, only its block is computed again. `--plan` tells who would
# compute what:
#
# ```
# pip install distributed dask-jobqueue
# nbtools predict nuclei2d large.ome.zarr --out result --workers 4 --plan
# nbtools predict nuclei2d large.ome.zarr --out result --workers 4
# nbtools predict nuclei2d large.ome.zarr --out result --scheduler slurm --workers 32
# ```
#
# `--level 1` reads the next coarser level of a pyramid, `--zarr` writes labels as
# OME-Zarr, and `nbtools train` reads images beyond the memory window by window.
#
# **Exercise.** One of 3 workers is killed in the middle of its block. What is lost?
# Choose: "everything", "a third" or "one block".
#
# <details><summary>Solution</summary>
#
# "one block". Another worker computes it again, and the labels are the same.
# </details>

# %% [markdown]
#
# ## You now have
# labels of an image in blocks that are those of the image in one piece, the reason why
# naive pieces are not, and labels in a file that is read chunk by chunk.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. How wide must the halo be?</summary>
#
# As wide as the network sees (its receptive field), and as the largest object: one that
# reaches beyond it may be split or joined differently, and a warning says so.
# </details>
#
# <details><summary>2. Why is the threshold not chosen in each block?</summary>
#
# A block without nuclei would find its own threshold in the noise, and two neighbours
# would differ where they meet: a seam that no halo mends.
# </details>
#
# <details><summary>3. Your count per mm² is 3 % higher since you predict in tiles with
# another program. What do you suspect?</summary>
#
# Nuclei on the borders of tiles are counted twice. Look along the borders: objects with
# a straight edge give it away.
# </details>
#
# **Where next:** `16_quality_control`: whether the labels are right is another question
# than whether they have seams.
