# %% [markdown]
# # 14 · Few labels
#
# **You will be able to** draw a learning curve from 1 to 300 labelled nuclei, say what
# points, boxes, scribbles and partial labels tell a network and what they leave open,
# make training survive wrong labels, use images without labels where that helps, and
# choose which nucleus to label next.
#
# 10 minutes on two processor cores; no graphics card. Papers: Qu et al. 2020,
# doi:10.48550/arXiv.2007.05448 (points); Zhao et al. 2018,
# doi:10.1007/978-3-030-00937-3_41 (boxes); Buchholz et al. 2020,
# doi:10.1007/978-3-030-66415-2_21 (DenoiSeg).

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
from nbtools.inference.disagreement import compare_looks
from nbtools.targets import box_masks, hidden_blocks, jigsaw, point_masks

nb.runtime.check()

# %% [markdown]
# ## 1. Partial labels: do not label everything
# Twelve small images, and an annotator who outlines ten nuclei of all of them, and then
# goes home. What nobody looked at is **-1**: neither nucleus nor background. Every
# network here leaves such pixels out of its loss; there is nothing to set. Around each
# outlined nucleus a rim of background is labelled, too: without any, a network could
# call everything nucleus, and nothing would contradict it.

# %%
field = {"shape_px": (128, 128), "radius_um": (2.5, 4.0), "density": (0.25,)}
field |= {"clustering": (0.5,), "photons": (20.0, 100.0)}
samples = nb.simulate.make("nuclei2d", count=20, seed=0, settings=field)
train, test = samples.split(val=0.4, seed=0)
ten = nb.simulate.label_some(train, 10)
known = [np.mean(sample.label.pixels >= 0) for sample in ten]
print(f"{len(ten)} images hold the ten nuclei; known of these: {np.mean(known):.0%}")
nb.show.pairs(ten, limit=3)

# %% [markdown]
# **Exercise.** Let the annotator go on: in the cell above, change `(train, 10)` to
# `(train, 100)`, and run it again. How much of the images is known then?
#
# <details><summary>Solution</summary>
#
# 14 % of all twelve images, in place of 2 % of eight. Ten times the nuclei are not
# quite ten times the area: the rims of neighbours overlap. (Put the 10 back before you
# go on.)
# </details>
#
# ## 2. Cheaper labels
# A point is one click, a box two, a scribble a stroke, an outline takes by far the most
# time. What does each of them tell a network? We need no training to see that: from the
# truth of a real image we make what a person would click, from this what the network is
# to learn, and compare it with the truth, for the pixels about which it says anything.

# %%
sample = nb.data.samples("nuclei2d")[0]
truth = sample.label.pixels.astype("int32")
grey = sample.image.to("YX").pixels[..., None].astype("float32")
grey = nb.normalize.by_percentiles(grey).apply(grey)
boxes = nb.training.examples.boxes_of_labels(truth)
filled = box_masks.masks_of_boxes(grey, boxes)
clusters = point_masks.encode_clusters(grey, nb.geometry.centroids(truth))
strokes = nb.simulate.draw_strokes(sample.label, rng=np.random.default_rng(0))
told = {"boxes": filled > 0, "points": clusters[..., 0] > 0}
nb.show.images({"image": grey[..., 0]} | told, columns=3)

# %%
asked = {"boxes": filled >= 0, "points": clusters.any(axis=-1)}
asked["scribbles, 1 %"] = strokes.pixels >= 0
told["scribbles, 1 %"] = strokes.pixels > 0
rows = []
for way, known in asked.items():
    row = {"way": way, "pixels labelled, %": 100 * known.mean()}
    right = told[way][known] == (truth[known] > 0)
    row["of these right, %"] = 100 * right.mean()
    rows.append(row)
nb.show.table(rows)

# %% [markdown]
# Points leave out a seventh of the pixels and are right on more than 99 % of the rest;
# boxes say something everywhere, and are right on 96 %. What points do not tell is
# where one nucleus ends and the next begins: `point_supervised` learns that from how
# near the next point is. Boxes do tell, as long as they are tight.
#
# **Break it: loose boxes.** A box that is drawn with a margin, to be on the safe side,
# is not safe at all. **Guess** how many pixels of margin a box can stand.

# %%
rows = []
for margin in (0, 1, 2, 4, 8):
    loose = boxes + margin * np.array([-1, -1, 1, 1])
    scores = nb.metrics.evaluate_each(
        truth, {"": box_masks.masks_of_boxes(grey, loose)}
    )
    row = {"margin, px": margin, "AP at 0.5": scores[""]["pooled"]["0.50"]["ap"]}
    rows.append(row | {"mean AP": scores[""]["mean_ap"]})
nb.show.table(rows)

# %% [markdown]
# The regions are those that *fill* their boxes: a margin makes each of them larger. A
# single pixel costs a third of the mean AP, and at 4 px almost half of the nuclei are
# no longer matched. If boxes of others are loose, look at some of them, and shrink all
# by as much.
#
# **Exercise.** And boxes that are too tight? In the cell above, change
# `(0, 1, 2, 4, 8)` to `(0, -1, -2, -4)`.
#
# <details><summary>Solution</summary>
#
# They do less harm: a pixel too little takes 0.04 from the mean AP, a pixel too much
# took 0.24, and 2 px too little leave seven times the mean AP of 4 px too much. A
# region that must fill its box cannot grow beyond it; only its rim is lost. (Put the
# margins back before you go on.)
# </details>
#
# ## 3. Wrong labels
# People overlook nuclei, and slip. Below a fifth of the labels are wrong: about a third
# of these nuclei are left out, the others lie beside their place. Find them.

# %%
wrong = nb.simulate.mislabel(sample.label, share=0.2, rng=np.random.default_rng(1))
nb.show.overlay(sample.image, wrong)

# %% [markdown]
# A wrong label pulls hardest when the network is right and sure: the cross-entropy of a
# label that the network considers improbable is largest. A loss that *gives way* pulls
# with p^q of that strength, where p is the probability of the label (`label_noise`, q).

# %%
rows = []
for p in (0.9, 0.5, 0.1, 0.01):
    row = {"probability of the label": p, "pull, cross-entropy": 1 - p}
    for q in (0.3, 0.7):
        row[f"pull, label_noise={q}"] = (1 - p) * p**q
    rows.append(row)
nb.show.table(rows)

# %% [markdown]
# At 0.7 a label of probability 0.01 pulls 25 times less. The price: a label that is
# *right* and hard pulls less, too, and training takes longer. Use it where you know
# that labels are wrong, not by default.
#
# **Exercise.** Somebody predicts all nuclei of the field without a mistake, and is
# scored against these wrong labels. Guess the AP at 0.5, then ask for it in a new cell:
# `nb.metrics.evaluate_each(wrong, {"": sample.label})[""]["pooled"]["0.50"]`.
#
# <details><summary>Solution</summary>
#
# 0.74. Of 125 nuclei 103 are matched: 8 are nowhere in the labels, and each of 14 that
# were moved is wrong twice, here an extra one, there a missed one. Wrong labels do not
# only teach badly; they also judge badly.
# </details>
#
# ## 4. How many labels does one need?
# The question everybody asks, and no paper can answer for your images; but you can
# measure a *learning curve*: train with few and with more of the nuclei, and score each
# on images kept apart. Three routes: a *random forest* (lesson 03) with 1 to 300
# nuclei, a network from nothing, and *fine-tuning*: the weights `nuclei2d_small` of
# this course, which have seen many more nuclei, go on with ten of these. **Guess**
# which route leads.

# %%
budget = {"epochs": 2, "steps_per_epoch": 30, "batch_size": 4, "patch_size": 64}
shipped = nb.methods.load("nuclei2d_small")
found = {"shipped, 0": [shipped.predict(sample.image) for sample in test]}

# %%
for count in (1, 10, 100, 300):
    some = nb.simulate.label_some(train, count)
    forest = nb.methods.get("forest")(trees=20, pixels=5000)
    forest.fit(some)
    found[f"forest, {count}"] = [forest.predict(s.image) for s in test]

# %%
Network = nb.methods.get("fast_nuclei")
for count in (10, 300):
    network = Network(**budget)
    network.fit(nb.simulate.label_some(train, count))
    found[f"network, {count}"] = [network.predict(s.image) for s in test]

# %%
tuned = Network(**budget)
tuned.start_from(shipped)
tuned.fit(ten)
found["fine-tuned, 10"] = [tuned.predict(sample.image) for sample in test]

# %%
rows = []
for name, scores in nb.metrics.evaluate_each(test, found).items():
    route, count = name.split(", ")
    row = {"route": route, "labelled nuclei": int(count), "mean AP": scores["mean_ap"]}
    rows.append(row | {"AP at 0.5": scores["pooled"]["0.50"]["ap"]})
nb.show.table(rows)

# %% [markdown]
# Read each route from top to bottom: what does the tenth label bring, and what the
# three hundredth? The forest has learned what it can by the tenth: it knows *nucleus*
# and *background*, and splits touching nuclei by their shape alone. A learning curve
# that has become flat says: *stop labelling, change something else*. One that still
# rises says how much the next hundred may bring. And do not overlook the first row:
# weights that were trained on other nuclei, and have seen no label of these.
#
# **Exercise.** An outline takes you 20 seconds. What would the 290 nuclei between the
# two rows of `network` cost, what do they bring, and which row has cost least?
#
# <details><summary>Solution</summary>
#
# 97 minutes for the difference of the two scores; the shipped weights cost nothing, and
# their fine-tuning three minutes. Ask for the price of a point of AP before you label.
# </details>
#
# ## 5. Images without labels
# You have ten labelled images, and five hundred without. Four ways to use these: hide
# pixels and predict them (*DenoiSeg*, *VoidSeg*), shuffle tiles and find their places
# (*jigsaw*), hide blocks and fill them in (*masked image*), or agree with your own
# running average (*mean teacher*). The network sees this in place of the image:

# %%
rng, crop = np.random.default_rng(0), grey[:126, :126]
shuffled, _ = jigsaw.JigsawTarget().shuffle(rng, crop)
hidden = hidden_blocks.draw_blocks(rng, (126, 126), side=(8, 8), share=0.4)
masked = np.where(hidden, crop.mean(), crop[..., 0])
shown = {"image": crop[..., 0], "jigsaw": shuffled[..., 0], "masked": masked}
nb.show.images(shown, columns=3)

# %% [markdown]
# A network that puts the tiles right knows what a nucleus looks like, and has needed no
# label.
#
# **Exercise.** Make it harder: in the cell above, change `share=0.4` to `share=0.9`.
# Can you still say where the nuclei were? Could a network?
#
# <details><summary>Solution</summary>
#
# Of three of the twelve nuclei nothing is left to see, of five less than a tenth; with
# 0.4 something is left of each. What nothing points to cannot be filled in, only
# guessed at, and a network that must guess learns the average. (Put the 0.4 back.)
# </details>
#
# **Break it: DenoiSeg with plenty of labels.** Its network learns grey values *and*
# nuclei. That helps where labels are few and noise is strong. Below all nuclei of all
# images are labelled, and the same network learns with denoising (`alpha` 0.5) and
# without (0). **Guess:** what is gained?

# %%
plenty = {}
for alpha in (0.0, 0.5):
    network = nb.methods.get("denoiseg")(**budget, alpha=alpha)
    network.fit(train)
    plenty[f"alpha {alpha}"] = [network.predict(sample.image) for sample in test]
compared = nb.metrics.compare.compare(
    nb.metrics.evaluate_each(test, plenty), baseline="alpha 0.0"
)
nb.show.differences(compared)

# %% [markdown]
# A grey line means that the two cannot be told apart on these images; a coloured one
# left of 0, that denoising has taken from what the network could learn of nuclei. The
# authors found both ends (images with noise of 20 grey values, AP at 0.5): with 10
# labelled images denoising lifts 0.549 to 0.678, with 304 it changes 0.739 to 0.734. So
# a method for few labels is no method for many.
#
# And ours, on the same kind of images (`benchmarks/few_labels.py`: 200 steps each, one
# to three minutes on one core, one seed; AP at 0.5 on the test images):
#
# | learned from | AP |
# | --- | ---: |
# | all labels of 376 images | 0.64 |
# | boxes in place of labels | 0.61 |
# | points in place of labels | 0.57 |
# | a fifth of the labels wrong, `label_noise=0.7` | 0.56 |
# | half of the nuclei unknown (-1) | 0.52 |
# | 10 labelled images | 0.60 |
# | the same, encoder from *jigsaw* | 0.63 |
# | the same, and 366 without labels, *mean teacher* | 0.45 |
# | noise of 20, 10 labelled images | 0.51 |
# | the same, and 366 without labels, *DenoiSeg* | 0.38 |
#
# So short a training tells what a route costs, not where it ends: *DenoiSeg* and the
# mean teacher learn from more than labels, and lose by it here; the authors' trainings
# of DenoiSeg were far longer (200 epochs of batches of 128 patches). Image by image, as
# in the figure above, both losses and that of the unknown nuclei are more than chance;
# the gain by *jigsaw* and what points and boxes lose are not. One seed stands for each.
#
# ## 6. Which label next?
# If you label by hand, let the model say where. It looks at an image and at its mirror
# image: where both looks disagree, at least one of them is wrong. Below, shipped
# weights look at simulated images. Are the nuclei in most doubt really the wrong ones?

# %%
doubts, errors = [], []
for sample, prediction in zip(test, found["shipped, 0"], strict=True):
    first, image = prediction.labels.pixels, sample.image
    mirrored = image.replace(pixels=image.pixels[:, ::-1])
    second = shipped.predict(mirrored).labels.pixels[:, ::-1]
    doubt = compare_looks(first, second)
    own = doubt.labels > 0
    doubts.extend(doubt.gain[own])
    errors.extend(compare_looks(first, sample.label.pixels).gain[: own.sum()] > 0.5)
order, errors = np.argsort(doubts)[::-1], np.array(errors)
rows = [{"nuclei": "all", "wrong, %": 100 * errors.mean()}]
rows.append(
    {"nuclei": "the 20 in most doubt", "wrong, %": 100 * errors[order[:20]].mean()}
)
nb.show.table(rows)

# %% [markdown]
# **Exercise.** How far down the list does doubt help? In the cell above, change
# `order[:20]` to `order[:5]`, then to `order[-20:]`, the nuclei in least doubt.
#
# <details><summary>Solution</summary>
#
# Of the first five 80 % are wrong, of the first twenty 65 %, of all 10 %, and of the
# twenty in least doubt none. (The row keeps its name; put the 20 back.)
# </details>
#
# Doubt is no proof, but it finds mistakes faster than chance does: look there first. On
# the command line, for a folder of images: `nbtools next MODEL IMAGES`. What both looks
# get wrong in the same way is not seen: look at some nuclei at random as well.
#
# How much does that save? On real images, with a forest and three seeds
# (`benchmarks/active_loop.py`): chosen at random, 30 labelled nuclei give a mean IoU of
# the foreground of 0.811; chosen where the model expects the lowest IoU, 15 give 0.810.
#
# ## You now have
# a learning curve of your own, an idea of what points, boxes and scribbles tell a
# network, a loss for wrong labels, ways to learn without labels and the question to ask
# of them (what do they gain with my number of labels?), and a list of what to label
# next.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. You have an hour. Boxes around all nuclei, or outlines of a
# few?</summary>
#
# Where boxes are tight and nuclei differ in brightness from what surrounds them, take
# boxes: there will be many more of them. Where neighbours overlap or are as
# bright as the background, the outline is what cannot be found otherwise.
# </details>
#
# <details><summary>2. A pretrained encoder brings nothing with 300 labels. Was the
# pretraining bad?</summary>
#
# Not necessarily: with many labels the network learns the same features from them.
# What is learned without labels can only fill a gap that labels leave.
# </details>
#
# <details><summary>3. You leave out every nucleus that you are unsure of, and mark
# nothing else as -1. What does the network learn?</summary>
#
# That such nuclei are background. Unsure is what -1 is for.
# </details>
#
# **Where next:** images that a program makes, with labels that cost nothing (lesson
# 15); your own images: `workbench_segment`. The methods of section 5 are `denoiseg`,
# `voidseg`, `jigsaw`, `masked_image` and `mean_teacher`. On the command line: `nbtools
# train point_supervised DATA --out MODEL`, `nbtools train box_supervised DATA --out
# MODEL`, `nbtools train border_unet DATA --init JIGSAW --init-parts encoder --out
# MODEL`, `nbtools next MODEL IMAGES`.
