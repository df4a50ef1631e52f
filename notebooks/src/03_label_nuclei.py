# %% [markdown]
# # 03 · Label nuclei
#
# **You will be able to** paint labels in the notebook, correct what a network has found
# instead of starting from nothing, let a classifier learn from a few scribbles, say how
# well two people agree, and save it all as a data set that is ready for training.
#
# 25 minutes on any computer; no graphics card, no network. The review behind this
# course (Mougeot et al. 2022, doi:10.1242/jcs.258986) names the missing labels as the
# reason why most projects stall: **a network learns what the labels say, their mistakes
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
# two agree?

# %%
sample = nb.data.samples("nuclei2d")[0]
generous = expand_labels(sample.label.pixels, 1)
agreement = nb.metrics.agreement.compare_annotators(
    sample.label, generous, names=("expert", "generous")
)
nb.show.table(agreement.summary())

# %%
nb.show.table(
    {"IoU asked for": list(agreement.f1), "F1 of the two": list(agreement.f1.values())}
)

# %% [markdown]
# They see the same nuclei (F1 at an IoU of 0.5 is almost 1), and yet at 0.9 almost no
# pair is left. Two lessons. **No method can be expected to agree with one annotator
# better than the other does**, so measure that before you blame a network. And **write
# down where the outline runs** (at half the brightness, say) *before* several people
# start.
#
# ## 2. Paint
# A corner of the image, so that you have it done in two minutes. Draw around a nucleus:
# it is filled when you let go, and the next outline is the next nucleus. Correct it
# with *Brush* and *Eraser*; `Z` takes back. Click into the picture once, then the keys
# work; they are listed below it. **If you paint nothing, the lesson works all the
# same.**
#
# Your strokes are noted as you make them: they are there again after the page was
# reloaded, or the kernel restarted.

# %%
corner = nb.data.cut_tiles([sample], 128)[9]
painter = nb.widgets.paint(corner.image, save_to="runs/03/painted")
painter

# %%
print(painter.describe())
nb.show.predictions([corner], [painter.label])

# %% [markdown]
# How long did a nucleus take you? Times 125 nuclei in this one image, times the fifty
# images that a network wants. Hence the next two parts.
#
# ## 3. Correct instead of painting
# Let a network do the bulk, and repair its mistakes. The map shows where they are (for
# once we know the truth: the expert's labels).

# %%
found = nb.methods.load("nuclei2d").predict(sample.image)
nb.show.error_map(sample.image, sample.label, predicted=found.labels)

# %% [markdown]
# What goes wrong most is neighbours found as one. Three moves repair nearly everything:
#
# - **one nucleus too few:** cut with a thin *Eraser*, point at it, press `X` (part);
# - **one nucleus too many:** *Pick* one half, point at the other, press `J` (join);
# - **missed or invented:** draw it with *Outline*; or point at it and press `D`
#   (delete).
#
# While you are at it, say what a nucleus is doing: point at it and press `1` or `2`.
# Zoom with `+` and move with the space bar held down.

# %%
corrected = nb.widgets.paint(
    sample.image, found, classes=("interphase", "mitosis"), save_to="runs/03/corrected"
)
corrected

# %%
print(corrected.describe())
scores = {
    "as it was found": nb.metrics.instances.evaluate(
        [(sample.name, sample.label, found.labels)]
    ),
    "as you left it": nb.metrics.instances.evaluate(
        [(sample.name, sample.label, corrected.label)]
    ),
}
nb.show.scores(scores)

# %% [markdown]
# Equal bars: nobody has moved a hand yet. A warning: **who corrects, leaves what looks
# right**, and the network's habits stay in the labels (its outlines above all). Paint
# the *test* images from nothing, or let somebody else do it who has not seen the
# prediction.
#
# ## 4. Scribble
# Sometimes there is no network for your images. A *random forest* learns from a few
# strokes which pixels look like nucleus and which like background, as in ilastik or
# Weka. Here are strokes on 1 % of the pixels, drawn by the computer; add your own where
# the result is wrong.

# %%
strokes = nb.simulate.draw_strokes(
    sample.label, share=0.01, rng=np.random.default_rng(0)
)
scribbles = nb.widgets.paint(
    sample.image, strokes, mark="scribbles", save_to="runs/03/scribbles"
)
scribbles

# %%
forest = nb.methods.get("forest")()
forest.fit(nb.data.DataSet.of([scribbles.value]))
grown = forest.predict(sample.image)
nb.show.overlay(sample.image, grown.labels)

# %%
scores["forest, 1 % scribbled"] = nb.metrics.instances.evaluate(
    [(sample.name, sample.label, grown.labels)]
)
nb.show.scores(scores)

# %% [markdown]
# Seconds of scribbling, seconds of learning. It knows *nucleus* and *background* but
# not *this* nucleus and *that* one: touching ones are cut where they are narrow. Good
# enough to begin with: correct its result as in part 3, and train a network on that
# (`workbench_segment`).
#
# **Which nucleus next?** Train, look where the model itself is least sure, correct
# there, train again. Measured on real images (24 of DSB2018 to label from, 40 others to
# judge by, a forest, means of three seeds; `benchmarks/active_loop.py`): from 5
# labelled nuclei, the foreground's IoU is 0.80 with five corrected where it was unsure,
# 0.72 with five drawn at random; with 25 more, 0.83 and 0.81. The head start is at the
# beginning; who labels on and on gets there either way.
#
# ## 5. Save it as a data set, and check it
# *Save* in the painter does the same as this cell: the image, its labels and the
# classes go into a folder that everything here reads.

# %%
corrected.save()
nb.show.findings(nb.checks.check("runs/03/corrected"))

# %% [markdown]
# ## You now have
# in `runs/03`: what you painted, corrected and scribbled, `corrected` as a data set
# that has been checked. Other images of yours: choose them with
# `nb.widgets.pick_data()`, and give `nb.widgets.paint(…, save_to=…)` the same folder
# for all of them.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Two annotators reach a mean F1 of 0.84 with each other. Your
# network reaches 0.86 against one of them. Is it better than a person?</summary>
#
# It has learned the habits of the one whose labels it was trained on, for instance
# where that person draws the outline. Against the other it may reach less than 0.84.
# Better than a person is a claim that needs a third judge.
# </details>
#
# <details><summary>2. You have an afternoon. Ten nuclei in each of twenty images, or
# two hundred in one?</summary>
#
# Twenty images: nuclei of one image share light, focus and stain. But label *all*
# nuclei of the region you label (crop it, if you must): a nucleus left out tells the
# network that this is background.
# </details>
#
# <details><summary>3. Why not correct the predictions on the test images, too? It is so
# much quicker.</summary>
#
# Then the truth is made by the method under test: what it missed and you overlooked
# counts as right, and its outlines are the truth by definition. The score would be too
# good, and nobody could see it.
# </details>
#
# **Where next:** more images than you can label: `04_simulate_nuclei`. Train on your
# labels: `workbench_segment`.
