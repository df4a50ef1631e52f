# %% [markdown]
# # 02 · Make a data set
#
# **You will be able to** pair images with labels, let the computer find what is wrong
# with them and repair what can be repaired, divide them into training and validation
# sets *without leakage*, and share the data set with everything that others need.
#
# 15 minutes on any computer; no graphics card, no internet connection. The review
# behind this course (Mougeot et al. 2022, doi:10.1242/jcs.258986) gives a third of its
# pages to this step, and rightly: **no network is better than the images it learned
# from**.

# %% cellView="form" tags=["skip-execution"]
# @title Install (on Colab; elsewhere this does nothing) { display-mode: "form" }
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic(
        "pip", 'install "nbtools @ git+https://github.com/OWNER/REPOSITORY"'
    )

# %%
import nbtools as nb
import numpy as np

# %% [markdown]
# ## 1. Pairs
# A data set is a folder: `images/NAME.tif` and `labels/NAME.tif`. Files of the same
# name form a pair; the extension may differ. In a label image every nucleus has its own
# number, and 0 is background. Labels from Fiji (ROI zip), QuPath (GeoJSON), Cellpose
# (`_masks`), COCO, LabelMe, VIA, 3D Slicer (NRRD), ITK-SNAP (NIfTI) or run lengths can
# stay in `labels/` as they are: they are read as label images, and the check below
# says what was left out, such as points. Where nuclei are only marked, `boxes/NAME`
# (a table, Pascal VOC, COCO or YOLO) or `centres/NAME` (a table, or an image of dots)
# takes their place. Other layouts (ZeroCostDL4Mic, nnU-Net, one mask per nucleus, one
# file per plane) are recognised, too; `nb.data.convert_dataset` writes a data set.
#
# Here we simulate eight fields, so that we know the truth, and cut each into four
# tiles, as in many public data sets.

# %%
crowd = {"density": (0.3,), "radius_um": (5.0, 7.0)}
fields = nb.simulate.make("nuclei2d", count=8, seed=4, settings=crowd)
tiles = nb.data.cut_tiles(fields, size=128)
nb.show.pairs(tiles, limit=4)

# %% [markdown]
# **Look:** these four belong to one field. Follow a nucleus from one tile into the
# next. Remember that for part 3.
#
# **Only a part is labelled?** Write **-1** into the pixels that nobody looked at. A 0
# there would say "no nucleus here", and a network would learn to miss the nuclei.
# Pixels of -1 are left out of training and of scores (below: all nuclei are predicted,
# and none counts as extra), no nucleus is measured there, and figures hatch them.
#
# **Exercise.** You label nuclei in the left half only. What belongs in the right half?
# Choose: "0", "-1" or "the number of the next nucleus".
#
# <details><summary>Solution</summary>
#
# "-1". Nobody looked: neither nucleus nor background.
# </details>

# %%
whole = tiles[0].label
partial = whole.pixels.astype("int32")
partial[:, 64:] = -1
half = whole.replace(pixels=partial)
scores = nb.metrics.instances.evaluate([("half", half, whole)])
print(scores["pooled"]["0.50"]["fp"], "extra nuclei")
nb.show.overlay(tiles[0].image, half)

# %% [markdown]
# ## 2. Break it: three faults, and a check
# Three faults that happen in every laboratory: a *mask* was exported (all nuclei have
# the same number), a label was cropped at a slightly different place, and two files
# were swapped. Would you notice it in a folder of 500?

# %%
spoiled = list(tiles)[:8]
first, third, sixth = spoiled[0], spoiled[2], spoiled[5]
mask = (first.label.pixels > 0).astype("uint8") * 255
shifted = np.pad(third.label.pixels, ((0, 0), (9, 0)))[:, :-9]
spoiled[0] = first.replace(label=first.label.replace(pixels=mask))
spoiled[2] = third.replace(label=third.label.replace(pixels=shifted))
spoiled[5] = sixth.replace(image=sixth.label, label=sixth.image)
nb.show.pairs(spoiled, limit=6)

# %% tags=["exercise"]
nb.widgets.guess("In how many of these six pairs is something wrong?", 3, unit="of 6")

# %%
broken = nb.data.DataSet.of(spoiled, name="broken")
findings = nb.checks.check(broken)
nb.show.findings(findings)

# %% [markdown]
# Each finding says where, what, why it matters, and what to do. Some can be repaired
# automatically: separate objects of a mask get numbers, swapped files are swapped back.
# Labels that lie beside their nuclei cannot: only you know which crop was right. **The
# original is never touched**; the repaired set is a copy. On the command line:
# `nbtools check my_nuclei --fix my_nuclei_repaired`.

# %%
repairs = nb.checks.fix(broken, findings, folder="runs/02/repaired", overwrite=True)
print(*repairs, sep="\n")

# %%
nb.show.findings(nb.checks.check("runs/02/repaired"))

# %% [markdown]
# **Your turn.** Choose a folder of your own below and press *Check*; leave it as it is
# to look at the sample that comes with the course. If your files do not name their
# axes, you are asked once, and *Remember* writes the answer into `dataset.toml`, beside
# your images. The button below the table writes a repaired copy.

# %%
checkup = nb.widgets.check_up(copy="runs/02/mine_repaired")
checkup

# %%
nb.show.findings(checkup.value)

# %% [markdown]
# ## 3. Break it: a split that leaks
# We train on some images and test on others. The usual way is to shuffle the files. Let
# us do that, with names that do not show which tile comes from which field, as in the
# Data Science Bowl 2018, where 399 of 541 fluorescence images are tiles of 101 larger
# fields.

# %%
renamed = []
for number, tile in enumerate(tiles):
    renamed.append(tile.replace(name=f"image{number:02d}", group=None))
anonymous = nb.data.DataSet.of(renamed, name="anonymous")
order = np.random.default_rng(0).permutation(len(anonymous))
naive = {"train": anonymous.subset(order[8:]), "val": anonymous.subset(order[:8])}

# %% tags=["exercise"]
groups, known = [tiles[i].group for i in order], 0
for group in groups[:8]:
    known += group in groups[8:]
question = "Of how many of the 8 validation tiles is another part in training?"
nb.widgets.guess(question, known, unit="of 8")

# %%
nb.data.copy_split(naive, "runs/02/naive", overwrite=True)
nb.show.findings(nb.checks.check("runs/02/naive"))

# %% [markdown]
# How does the check know? Two tiles that were neighbours continue each other: the last
# column of one looks like the first column of the other. The check compares all borders
# with all others, and all images with rotated and flipped copies. A network that has
# trained on the left half of a nucleus has an easy test on the right half: the score
# becomes too good, and nobody notices until the next experiment.
#
# Now a split without leakage. It is seeded (the same tomorrow), and what belongs
# together stays together: tiles of a field, copies, frames of a movie, and any group
# you name (`--group-by embryo`): **split by animal, plant or slide, not by image**.

# %%
honest = anonymous.split(val=0.25, seed=0)
nb.data.copy_split(honest, "runs/02/honest", overwrite=True)
print(*honest, sep="\n")
nb.show.findings(nb.checks.check("runs/02/honest"))

# %%
nb.show.images(honest[1], limit=8)

# %% [markdown]
# The validation set now consists of whole fields. Of the notes that remain, one says
# that tiles of one field are there, on the same side: that is fine. A limit: where the
# border between two tiles is empty, or a strip between them is missing, the pixels show
# nothing; on the Data Science Bowl images 83 % of the pairs are found this way. Where
# you know the groups, name them.
#
# ## 4. Describe it and share it
# What the files contain is counted; for what only you know you are asked. The folder
# then holds data, card, checksums and the form for Zenodo or the BioImage Archive. Put
# the answers into `dataset.toml` (`licence = "CC-BY-4.0"`, `labelled_by = "…"`) and
# write it again.
#
# **Exercise.** Which of these can no program find in the files? Choose: "the number of
# nuclei", "the size of the images" or "the licence".
#
# <details><summary>Solution</summary>
#
# "the licence". Only you can say what others may do with the images.
# </details>

# %%
described = nb.data.DataSet.open("runs/02/honest")
questions = nb.data.write_deposit(described, "runs/02/deposit", overwrite=True)
print("Still to be answered in dataset.toml:", ", ".join(questions))

# %% [markdown]
# ## 5. Data sets of others
# The review's Table 1, as far as an address is known. `nbtools fetch bbbc039` downloads
# one (resumed if the connection breaks, unpacked safely). Read the licence on the page:
# an empty cell means that we do not know it for sure.

# %%
rows = []
for source in nb.data.sources().values():
    row = {"name": source.name, "title": source.title, "dims": source.dims}
    rows.append(row | {"licence": source.licence, "size": source.size})

# %% tags=["exercise"]
known = sum(bool(row["licence"]) for row in rows)
nb.widgets.guess(f"Of {len(rows)} data sets, how many have a known licence?", known)

# %%
nb.show.table(rows, limit=30)

# %% [markdown]
# ## You now have
# in `runs/02`: a repaired data set, a split with and one without leakage to compare,
# and a folder ready to be deposited.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. You have 200 images of 5 mice. How many independent images do you
# have for the test?</summary>
#
# As many as mice: images of one mouse share its stain, its fixation and its biology.
# Put whole mice into the test set (`--group-by mouse`). With five, use one or two for
# the test, and report it; better, repeat the training with each mouse as the test once.
# </details>
#
# <details><summary>2. The check finds nothing. Are the labels right?</summary>
#
# It finds formal faults. To know whether the outline is where an expert would draw it,
# or whether dim nuclei were left out, look at overlays, and let a second person label
# some images again.
# </details>
#
# <details><summary>3. Why does the mask need repair? The nuclei are all
# there.</summary>
#
# In a mask, touching nuclei are one object. Numbering its separate objects is right
# only where none touch: look at the repaired label before you train on it.
# </details>
#
# **Where next:** more images than you can label: `04_simulate_nuclei`. Train on your
# set: `workbench_segment`.
