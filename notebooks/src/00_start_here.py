# %% [markdown]
# # 00 · Start here
#
# **You will be able to** go from a microscope image to counted, measured nuclei: find
# them with a network that is already trained, check that result against a classical
# method and by eye, and take the numbers and outlines home.
#
# 5 minutes on any computer; no graphics card, no training, no account. Nothing can
# break: run every cell from top to bottom (Shift+Enter), or choose *Run all*.

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

nb.runtime.check()

# %% [markdown]
# ## 1. Look first
# This is a real fluorescence image: nuclei stained for DNA, bright on a dark
# background. It comes with *labels*: an expert has outlined every nucleus and given it
# its own number. Later you choose your own images here; for now, leave the choice as it
# is.

# %%
chosen = nb.widgets.pick_data(samples="nuclei2d")
chosen

# %% [markdown]
# Images of your own may have several channels. Nuclei are looked for in one of them;
# the line below says in which, and a menu has the others.

# %%
channel = nb.widgets.pick_channel(chosen.value[0])
channel

# %%
sample = channel.value
print(channel.sentence)
nb.show.images([sample.image])

# %% [markdown]
# Look before you compute. Are the nuclei sharp? Equally bright? Which of them touch?
# **Guess how many there are.** The field below keeps your guess, and shows it beside
# the truth: the expert's count, or that of the classical method where there are no
# labels.

# %% tags=["exercise"]
labels = sample.label or nb.methods.load("otsu").predict(channel.grey).labels
count = len(nb.measure.measure(labels)["label"])
nb.widgets.guess("How many nuclei are there?", count, unit="nuclei")

# %% [markdown]
# ## 2. Let the computer find them, twice
# First the classical way: a threshold separates bright from dark pixels (Otsu's method
# chooses it), and a *watershed* splits touching nuclei where they are narrow. No
# learning is involved.

# %%
classical = nb.methods.load("otsu").predict(channel.grey)
nb.show.overlay(sample.image, classical.labels)

# %% [markdown]
# Now a small neural network. It has learned from many labelled images and comes with
# this course; its weights are called `nuclei2d`. It predicts for every pixel whether it
# belongs to a nucleus, and *in which direction its middle* lies; pixels that lead to
# the same place are one nucleus. (With a volume or a stained section of your own, the
# weights for these are taken.)

# %%
weights = nb.methods.suggest_weights(sample.image)
model = nb.methods.load(weights)
network = model.predict(sample.image)

# %% tags=["exercise"]
found = [len(nb.measure.measure(one.labels)["label"]) for one in (classical, network)]
question = f"The classical method finds {found[0]} nuclei. And the network?"
nb.widgets.guess(question, found[1], unit="nuclei")

# %%
both = {"Otsu + watershed": classical.labels, f"Network {weights}": network.labels}
views = {}
for name, labels in both.items():
    views[name] = nb.show.overlay_rgb(sample.image, labels)
nb.show.images(views)

# %% [markdown]
# Each outline is one nucleus; neighbours differ in colour. Find a place where the two
# disagree. Who is right, and how would you know?
#
# ## 3. How good is it? Count the mistakes
# With the expert's labels we can count them. Lay a predicted outline over the expert's:
# the area that they share, divided by the area that they cover together, is the *IoU*
# (intersection over union). From an IoU of 0.5 on the two are *matched*; a stricter
# threshold asks for more. A nucleus of the expert without a match is *missed*, a
# predicted one without a match is *extra*. The score **AP** is then matched /
# (matched + missed + extra): 1 is perfect, 0 is nothing right.

# %% tags=["exercise"]
question = "8 matched, 1 missed, 1 extra. What is the AP?"
nb.widgets.guess(question, 8 / (8 + 1 + 1))

# %%
results = {"Otsu + watershed": classical, f"Network {weights}": network}
labelled = sample.label is not None
scores = nb.metrics.evaluate_each(sample.label, results) if labelled else None
nb.show.scores(scores) if labelled else "No labels, so no score: lesson 03 makes some."

# %% [markdown]
# One number hides much. Where in the image are the mistakes, and of which kind?

# %%
if labelled:
    mistakes = nb.show.error_map(sample.image, sample.label, predicted=network.labels)
mistakes if labelled else "No labels, so no mistakes to be seen."

# %% [markdown]
# A warning that returns throughout this course: **this image is one of those that
# networks like this one learn from**. It is a crop of a training image of a public
# competition, the Data Science Bowl 2018. So the score shows how scoring works; it does
# not tell you how well the network does on *your* images. For that you need labelled
# images of your own that it has never seen.
#
# ## 4. Count and measure
# Once every nucleus has its number, measuring is simple: one row per nucleus.

# %%
table = nb.measure.measure(network.labels, sample.image)
print(f"The network found {len(table['label'])} nuclei: a row each. Some columns:")
shown = ("label", "area_px", "area_um2", "elongation", "neighbours", "reliable")
if labelled:
    print(f"The expert found {len(nb.measure.measure(sample.label)['label'])}.")
nb.show.table({name: table[name] for name in shown if name in table})

# %%
nb.show.measurements(table)

# %% [markdown]
# Areas are in pixels here, since this file does not say how large a pixel is. With an
# image that knows its pixel size, the same line gives µm². Where `reliable` says no, a
# nucleus is too small for some of its values; `unreliable` names them. The pixel size
# stays with the image everywhere in `nbtools`: **check it when you take the image**,
# nobody can guess it afterwards.
#
# **Exercise.** Suppose you find your notes: a pixel of this microscope is 0.5 µm wide.
# How large is the median nucleus, in µm²?
#
# <details><summary>Solution</summary>
#
# A pixel covers 0.5 · 0.5 = 0.25 µm², so the median area in pixels is divided by four.
# With a wrong pixel size, every area is wrong by its square.
# </details>

# %% tags=["exercise"]
flat = network.labels.pixels
flat = flat.reshape(-1, *flat.shape[-2:]).max(axis=0)  # of a volume, seen from above
areas = np.unique(flat[flat > 0], return_counts=True)[1]
median = np.median(areas) * 0.5**2 if len(areas) else 0
nb.widgets.guess("The median area?", median, unit="µm²")

# %% [markdown]
# ## 5. Take it home
# Labels for any program, outlines for Fiji (open the zip file in `rois` in the ROI
# Manager), the table for your spreadsheet, and a report of what was done. Everything is
# saved on this machine. Colab deletes its machines after a disconnect: download the
# folder, or mount your Google Drive first with `nb.runtime.mount_drive()`, and save it
# there.

# %%
run = nb.export.save_run(
    "runs/00_start_here", sample, model, network, table, overwrite=True
)
report = nb.report.write(run)
nb.show.text.page(report)

# %%
nb.widgets.download(run)

# %% [markdown]
# **Exercise.** Open the folder `runs/00_start_here` in the list of files on the left.
# Which file does Fiji's ROI Manager open?
#
# <details><summary>Solution</summary>
#
# The zip in `rois`. The TIFF beside it is the label image, which Fiji opens as an
# image, and `nuclei.csv` is the table for a spreadsheet. `report.html` opens in any
# browser.
# </details>

# %% tags=["exercise"]
nb.widgets.ask(
    "Which file holds the outlines for Fiji's ROI Manager?",
    {
        "the TIFF": "That is the label image: a number per pixel, no outlines.",
        "nuclei.csv": "That is the table of measurements.",
        "the zip in rois": "More > Open… in the ROI Manager, or drop it on Fiji.",
    },
    right="the zip in rois",
)

# %% [markdown]
# ## You now have
# a folder `runs/00_start_here` with the label image, the Fiji outlines, the table and
# the report; and you know one classical and one learned way to find nuclei.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. The network does not count as many nuclei as the expert. Is it
# wrong?</summary>
#
# Not for that reason alone: it may have found debris, or dim nuclei that the expert
# overlooked. Here it merges five pairs of neighbours and misses five more nuclei
# entirely: see the kinds of mistake. Count *and* look: equal counts can hide one
# nucleus split and two others merged.
# </details>
#
# <details><summary>2. Why not simply use Otsu's threshold for everything?</summary>
#
# It needs one grey value that separates nuclei from background in the whole image.
# Uneven light, dim nuclei beside bright ones, and crowding break that. Where none of
# this happens, it is hard to improve on, and you should use it: it needs no training,
# and you can follow every step.
# </details>
#
# <details><summary>3. Your own images are at half this magnification. What will
# happen?</summary>
#
# Nuclei appear at half the size, so the network may take them for debris or merge
# neighbours: it has learned one range of sizes. On the command line,
# `nbtools predict nuclei2d my_images --out result --diameter 8` tells it how large your
# nuclei are in µm, and each image is resampled to the size that the network knows.
# </details>
#
# **Where next:** your own images, and training a network on them: `workbench_segment`.
# What this machine can do: `nbtools doctor`.
