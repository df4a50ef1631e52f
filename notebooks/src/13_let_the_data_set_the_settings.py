# %% [markdown]
# # 13 · Let the data set the settings
#
# **You will be able to** read the fingerprint of a data set, derive from it what you
# used to guess (pixel size, patch, depth and kernels of the network, batch), see what
# goes wrong when a setting ignores the data, and measure whether planned settings are
# worth it.
#
# 15 minutes on two processor cores; no graphics card. Paper: Isensee et al. 2021,
# doi:10.1038/s41592-020-01008-z (nnU-Net).

# %% cellView="form" tags=["skip-execution"]
# @title Install (on Colab; elsewhere this does nothing) { display-mode: "form" }
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic(
        "pip", 'install "nbtools @ git+https://github.com/OWNER/REPOSITORY"'
    )

# %%
from dataclasses import replace

import nbtools as nb
from nbtools.methods.planning import Budget, make_plan, take_fingerprint

nb.runtime.check()

# %% [markdown]
# ## 1. A volume is not a cube
# Simulated nuclei, with exact labels. **Look at the side views**: a nucleus that is
# round in space spans twenty pixels in the plane, but only a few planes. Before you
# read on: which settings of a network should depend on that?

# %%
sparse = {"shape_px": (16, 64, 64), "spacing_um": (1.2, 0.4, 0.4)}
sparse |= {"radius_um": (3.0, 5.0), "density": (0.12, 0.25), "photons": (50.0, 500.0)}
samples = nb.simulate.make("nuclei3d", count=16, seed=0, settings=sparse)
train, val, test = samples.split(val=0.15, test=0.3, seed=0)
nb.show.overlay(train[0].image, train[0].label)

# %% [markdown]
# **Exercise.** Planes are 1.2 µm apart, and a nucleus is 8 µm high. In how many planes
# does it lie?
#
# <details><summary>Solution</summary>
#
# 8 / 1.2: in six or seven.
# </details>
#
# ## 2. The fingerprint
# The rules use nothing else: sizes, pixel sizes, grey values, nuclei. No training is
# needed.
#
# **Exercise.** Guess before you run the cell: which line of the fingerprint will the
# size of a patch depend on, and which the kernels?
#
# <details><summary>Solution</summary>
#
# The patch on the shape of the images, the kernels on the pixel size: planes that lie
# farther apart than pixels call for flat ones.
# </details>

# %%
fingerprint = take_fingerprint(train)
nb.show.table(fingerprint.summary(), limit=20)

# %% [markdown]
# ## 3. The plan
# From these few numbers follow all the settings that are usually tried out by hand.
# Each line is a decision **with its reason**, so that you can disagree with it. The
# budget is what the machine can afford: a graphics card may have 8 GB; we allow what
# two cores can compute.

# %%
budget = Budget(memory_gb=0.05, width=8)
print(make_plan(fingerprint, budget))

# %% [markdown]
# **Exercise.** With a graphics card of 8 GB in place of the budget above, the plan will
# have … Choose: "a larger patch", "a finer pixel size" or "the same patch".
#
# <details><summary>Solution</summary>
#
# "a larger patch". Memory goes into the patch first, until it holds the image.
# </details>
#
# ## 4. Change the data, and the settings change
# The same images, if they had been taken with other distances between planes. **Guess
# first**: at which distance does the kernel of the first level no longer extend along
# Z?

# %%
rows = []
for z in (0.4, 0.7, 1.2, 3.0):
    moved = replace(fingerprint, spacings=((z, 0.4, 0.4),) * len(train))
    plan = make_plan(moved, budget)
    row = {"between planes, µm": z, "patch": plan.patch}
    rows.append(row | {"kernel": plan.kernels[0], "first halving": plan.strides[0]})

# %% tags=["exercise"]
flat = [str(row["between planes, µm"]) for row in rows if row["kernel"][0] == 1]
choices = ("0.4", "0.7", "1.2", "3.0")
nb.widgets.guess("From which distance on is it flat, in µm?", flat[0], choices=choices)

# %%
nb.show.table(rows)

# %% [markdown]
# As soon as planes lie twice as far apart as pixels, a 3 x 3 x 3 kernel would mix near
# with far neighbours. So the network first works within planes, halves only Y and X,
# and includes Z when the pixels have become as long. And with more memory?

# %%
rows = []
for gigabytes in (0.01, 0.05, 0.2, 8):
    plan = make_plan(fingerprint, Budget(gigabytes, 8))
    row = {"memory, GB": gigabytes, "patch": plan.patch, "batch": plan.batch}
    rows.append(row | {"levels": len(plan.kernels)})
nb.show.table(rows)

# %% [markdown]
# The patch grows until it holds the whole image, since context helps to tell nuclei
# apart. The batch stays at two: more would be over a twentieth of this small set at
# once.
#
# ## 5. Break it: lose the pixel size
# A file that was saved without its pixel size is a common accident. The pixels are the
# same, but the planner must take them as cubes. Compare with the plan above: what has
# changed, and what will that cost?
#
# **Exercise.** Guess before you run the cell: what is the first kernel where no pixel
# size is known, (1, 3, 3) or (3, 3, 3)?
#
# <details><summary>Solution</summary>
#
# (3, 3, 3): without a pixel size, voxels are taken for cubes.
# </details>

# %%
samples = []
for sample in train:
    image, label = sample.image, sample.label
    image, label = image.replace(spacing=None), label.replace(spacing=None)
    samples.append(sample.replace(image=image, label=label))
lost = nb.data.DataSet.of(samples)
print(make_plan(take_fingerprint(lost), budget))

# %% [markdown]
# ## 6. Train them
# Three networks, 320 steps each: as planned, planned without the pixel size, and with a
# patch that somebody set by hand: 16 pixels, "because it is faster". Everything else is
# the same.

# %%
Planned = nb.methods.get("nnunet_planned")
short = {"epochs": 8, "steps_per_epoch": 40, "memory_gb": 0.05}
models = {
    "planned": Planned(**short),
    "pixel size lost": Planned(**short),
    "patch of 16 px": Planned(**short, patch_size=16, patch_depth=8),
}
models["pixel size lost"].fit(lost, val)
models["patch of 16 px"].fit(train, val)
nb.show.training(models["planned"].fit(train, val))

# %%
found = {}
for name, model in models.items():
    found[name] = [model.predict(sample.image, raw=True) for sample in test]
scores = nb.metrics.evaluate_each(test, found)

# %% tags=["exercise"]
worst = min(scores, key=lambda name: scores[name]["mean_ap"])
nb.widgets.guess("Which has the lowest mean AP?", worst, choices=list(scores))

# %%
nb.show.scores(scores)

# %% [markdown]
# Without the pixel size the network scores lower, and predicts more extra nuclei. The
# small patch does as well as the planned one: a rule is a good start, not a law. So
# short a training is no final result, and chance plays a part: three seeds would show
# more. Trust large differences only, and look at the kind of mistake: first the planned
# network, then the one without the pixel size.

# %%
image, label = test[0].image, test[0].label
nb.show.error_map(image, label, predicted=found["planned"][0].labels)

# %%
nb.show.error_map(image, label, predicted=found["pixel size lost"][0].labels)

# %% [markdown]
# ## 7. Are two networks better than one?
# nnU-Net trains several networks on several splits of the data and averages their
# predictions *before* decoding: mistakes that they do not share cancel out. We average
# the planned network and that with the small patch, which have learned from the same
# images in patches of two sizes.

# %%
average = []
for one, other in zip(found["planned"], found["patch of 16 px"], strict=True):
    maps = (one.raw["maps"] + other.raw["maps"]) / 2
    average.append(models["planned"].decode_maps(maps, one.labels))
scores |= nb.metrics.evaluate_each(test, {"average": average})

# %% tags=["exercise"]
more = scores["average"]["mean_ap"] > scores["planned"]["mean_ap"]
choices = ("the average", "the planned network")
nb.widgets.guess("Which has the higher mean AP?", choices[not more], choices=choices)

# %%
nb.show.differences(nb.metrics.compare.compare(scores, baseline="planned"))

# %% [markdown]
# Losing the pixel size costs clearly more than chance: its line does not reach 0. The
# average is no clear gain here: its line is grey. Two networks of one short training
# share most of their mistakes.
#
# ## 8. Will it fit?
# Predicting a large volume goes tile by tile, each of the patch's shape. How many, and
# how much memory, is known before it starts:
#
# **Exercise.** Guess before you run the cell: how many times as many voxels has the
# large image?
#
# <details><summary>Solution</summary>
#
# 4 · 8 · 8 = 256 times.
# </details>

# %%
pixels = image.pixels.repeat(4, axis=0).repeat(8, axis=1).repeat(8, axis=2)
large = image.replace(pixels=pixels)
print(large, models["planned"].forecast(large), sep="\n")

# %% [markdown]
# ## You now have
# a fingerprint, a plan with its reasons, a sense of which settings follow from the data
# and which from the machine, and a way to average networks.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Your planes lie 0.5 µm apart, your pixels are 0.4 µm. Which
# kernels will the plan choose?</summary>
#
# 3 x 3 x 3 everywhere: 0.5 is less than twice 0.4, so a neighbour in Z is about as near
# as one in the plane.
# </details>
#
# <details><summary>2. Why is a nucleus given a rim within the plane, but not at its top
# and bottom, where planes lie far apart?</summary>
#
# Flat in pixels, a nucleus of five planes would lose two of them to the rim, and one of
# two planes would be all rim: no core would be left. Between two nuclei that touch, a
# rim is drawn along Z as well, since something must split them.
# </details>
#
# <details><summary>3. The rules never look at a score. Why do they work at
# all?</summary>
#
# They contain what many trials on many data sets have shown: that a patch should hold
# context, that neighbours should be near, that memory is better spent on the patch than
# on the batch. What they cannot know is your question; that is why each rule states its
# reason.
# </details>
#
# **Where next:** all 3D methods side by side: `benchmarks/volumes.py`. On the command
# line: `nbtools train planned DATASET --out MODEL` prints its plan before it starts;
# `model.json` keeps it.
