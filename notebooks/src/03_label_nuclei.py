# %% [markdown]
# # 03 · Label nuclei
#
# **You will be able to** paint labels in the notebook, correct the predictions of a
# network instead of starting from nothing, let a classifier learn from a few scribbles,
# measure how well two people agree, and save it all as a data set that is ready for
# training.
#
# 25 minutes on any computer; no graphics card, no internet connection. The review
# behind this course (Mougeot et al. 2022, doi:10.1242/jcs.258986) names missing labels
# as the reason why most projects stall: **a network learns from labels, their mistakes
# included**.

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
from skimage.segmentation import expand_labels

# %% [markdown]
# ## 1. Why labels decide
# Suppose a second annotator finds exactly the same nuclei as the expert, but draws
# every outline **one pixel** further out. Nobody would call that wrong. How well do the
# two agree? The table counts with *F1*: the nuclei that both have, over the mean of
# both counts; 1 is full agreement.

# %%
sample = nb.data.samples("nuclei2d")[0]
generous = expand_labels(sample.label.pixels, 1)
names = ("expert", "generous")
compare_annotators = nb.metrics.agreement.compare_annotators
agreement = compare_annotators(sample.label, generous, names=names)
nb.show.table(agreement.summary())

# %%
f1 = agreement.f1

# %% tags=["exercise"]
at_the_end = list(f1.values())[-2]  # at an IoU of 0.9
nb.widgets.guess("F1 of the two at an IoU of 0.9?", at_the_end)

# %%
nb.show.table({"IoU threshold": list(f1), "F1 of the two": list(f1.values())})

# %% [markdown]
# They label the same nuclei (F1 at an IoU of 0.5 is almost 1), and yet at 0.9 almost no
# pair is left. Two conclusions. **No method can be expected to agree with one annotator
# better than the other does**, so measure their agreement before you blame a network.
# And **write down where the outline runs** (at half the brightness, for example)
# *before* several people start.
#
# ## 2. Paint
# We take a corner of the image, so that you are done in two minutes. Draw around a
# nucleus: it is filled when you let go, and the next outline is the next nucleus.
# Correct it with *Brush* and *Eraser*; `Z` undoes. Click into the picture once, then
# the keys work; they are listed below it. **If you paint nothing, the lesson works all
# the same.**
#
# Your strokes are saved as you make them: they are still there when the page is
# reloaded or the kernel restarts.

# %%
corner = nb.data.cut_tiles([sample], 128)[9]
painter = nb.widgets.paint(corner.image, save_to="runs/03/painted")
painter

# %%
print(painter.describe())
nb.show.predictions([corner], [painter.label])

# %% [markdown]
# How long did one nucleus take? Multiply by the 125 nuclei of this image, and by the
# fifty images that a network may need. Hence the next two parts.

# %% tags=["exercise"]
hours = 20 * 125 * 50 / 3600
nb.widgets.guess("20 seconds per nucleus, 125 nuclei, 50 images?", hours, unit="hours")

# %% [markdown]
# ## 3. Correct instead of painting
# Let a network do most of the work, and correct its mistakes. The map shows where they
# are (here we know the truth: the expert's labels).

# %%
found = nb.methods.load("nuclei2d").predict(sample.image)

# %% tags=["exercise"]
score = nb.metrics.evaluate_each(sample.label, {"network": found})["network"]
outlines = score["pooled"]["0.50"]
to_mend = outlines["fn"] + outlines["fp"]
nb.widgets.guess("Of 125 nuclei: missed and extra ones, together?", to_mend)

# %%
nb.show.error_map(sample.image, sample.label, predicted=found.labels)

# %% [markdown]
# Two mistakes are the most frequent here: neighbours are merged, and dim nuclei are
# missed. Three moves correct nearly everything:
#
# - **one nucleus too few:** cut with a thin *Eraser*, point at it, press `X` (split);
# - **one nucleus too many:** *Pick* one half, point at the other, press `J` (join);
# - **missed or extra:** draw it with *Outline*; or point at it and press `D` (delete).
#
# You can also give a nucleus its class: point at it and press `1` or `2`. Zoom with `+`
# and move with the space bar held down.

# %%
corrected = nb.widgets.paint(
    sample.image, found, classes=("interphase", "mitosis"), save_to="runs/03/corrected"
)
corrected

# %%
print(corrected.describe())
results = {"as predicted": found, "as you left it": corrected.label}
nb.show.scores(nb.metrics.evaluate_each(sample.label, results))

# %% [markdown]
# Equal bars mean that nothing has been corrected yet. A warning: **when people correct,
# they leave what looks right**, and the habits of the network stay in the labels (its
# outlines above all). Paint the *test* images from nothing, or let somebody do it who
# has not seen the prediction.
#
# ## 4. Scribble
# Sometimes there is no network for your images. A *random forest* learns from a few
# strokes which pixels look like nucleus and which like background, as in ilastik or
# Weka. Here are strokes on 1 % of the pixels, made by the computer; add your own where
# the result is wrong.

# %%
rng = np.random.default_rng(0)
strokes = nb.simulate.draw_strokes(sample.label, share=0.01, rng=rng)
scribbles = nb.widgets.paint(
    sample.image, strokes, mark="scribbles", save_to="runs/03/scribbles"
)
scribbles

# %%
forest = nb.methods.get("forest")()
forest.fit(nb.data.DataSet.of([scribbles.value]))
results["forest, 1 % scribbled"] = forest.predict(sample.image)
nb.show.overlay(sample.image, results["forest, 1 % scribbled"].labels)

# %% tags=["exercise"]
scored = nb.metrics.evaluate_each(sample.label, results)
question = "AP at 0.5 of the forest, from strokes on 1 % of the pixels?"
nb.widgets.guess(question, scored["forest, 1 % scribbled"]["pooled"]["0.50"]["ap"])

# %%
nb.show.scores(nb.metrics.evaluate_each(sample.label, results))

# %% [markdown]
# Scribbling takes seconds, and so does learning. The forest knows *nucleus* and
# *background* but not *this* nucleus and *that* one: touching ones are split where they
# are narrow. It is good enough for a start: correct its result as in part 3, and train
# a network on that (`workbench_segment`).
#
# **Which nucleus next?** Train, look where the model is least certain, correct there,
# train again. Measured on real images (24 of DSB2018 to label from, 40 others as a
# test, a forest, means of three seeds; `benchmarks/active_loop.py`): starting from 5
# labelled nuclei, the IoU of the foreground is 0.80 with five more labelled where the
# model is uncertain, and 0.72 with five chosen at random; with 25 more, 0.83 and 0.81.
# The gain is largest at the beginning; with many labels both ways end at the same
# score.
#
# ## 5. Save it as a data set, and check it
# *Save* in the painter does the same as this cell: the image, its labels and the
# classes go into a folder that everything here reads.

# %%
corrected.save()
nb.show.findings(nb.checks.check("runs/03/corrected"))

# %% tags=["exercise"]
nb.widgets.ask(
    "Which images must not be labelled by correcting a prediction?",
    {
        "training images": "They may: a mistake that stays costs a little.",
        "test images": "What the network missed and you overlook would count as right.",
        "none of them": "Read the warning of section 3 again.",
    },
    right="test images",
)

# %% [markdown]
# ## You now have
# in `runs/03`: what you painted, corrected and scribbled; `corrected` is a data set
# that has been checked. For other images of yours, choose them with
# `nb.widgets.pick_data()`, and give `nb.widgets.paint(…, save_to=…)` the same folder
# for all of them.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Two annotators reach a mean F1 of 0.84 with each other. Your
# network reaches 0.86 against one of them. Is it better than a person?</summary>
#
# It has learned the habits of the one whose labels it was trained on, for instance
# where that person draws the outline. Against the other it may reach less than 0.84. To
# claim that it is better than a person you need a third annotator.
# </details>
#
# <details><summary>2. You have an afternoon. Ten nuclei in each of twenty images, or
# two hundred in one?</summary>
#
# Twenty images: nuclei of one image share light, focus and stain. But label *all*
# nuclei of the region (crop it, if you must): a nucleus left out teaches the network
# that this is background.
# </details>
#
# <details><summary>3. Why not correct the predictions on the test images, too? It is so
# much quicker.</summary>
#
# Then the truth is made by the method under test: what it missed and you overlooked
# counts as right, and its outlines are the truth by definition. The score would be too
# good, and nobody would notice.
# </details>
#
# **Where next:** more images than you can label: `04_simulate_nuclei`. Which images to
# label next, a trained model can say, from where it is uncertain: `nbtools next MODEL
# IMAGES` (lesson 14, which also asks how many you need). Train on your labels:
# `workbench_segment`.
