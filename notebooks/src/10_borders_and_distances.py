# %% [markdown]
# # 10 · Tell nuclei apart I: borders and distances
#
# **You will be able to** read an AP, split touching nuclei in two ways (by a border
# between them, by a distance map inside each), choose a threshold, and tell whether two
# methods really differ.
#
# 15 minutes on two processor cores; no graphics card. Papers: Caicedo et al. 2019,
# doi:10.1002/cyto.a.23863 (borders, and their weight); Naylor et al. 2019,
# doi:10.1109/TMI.2018.2865709 (distances).

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
# ## 1. Nuclei that touch
# A real image with an expert's labels. **Count the places where two nuclei touch**: at
# each of them the count may be wrong by one.

# %%
sample = nb.data.samples("nuclei2d")[0]
truth = sample.label.pixels.astype("int32")
nb.show.overlay(sample.image, sample.label)

# %% tags=["exercise"]
neighbours = nb.measure.measure(sample.label)["neighbours"]
contacts = neighbours.sum() / 2  # each is counted from both sides
nb.widgets.guess("In how many places do two nuclei touch?", contacts, unit="places")

# %% [markdown]
# ## 2. What AP means
# Two outlines of one nucleus, the expert's and ours: the area that they share over the
# area that they cover together is their *IoU*. At a threshold of 0.5 a true nucleus is
# *matched* if a predicted one has an IoU of 0.5 or more with it. A true nucleus without
# a match is *missed*, a predicted one without a match is *extra*. Then **AP = matched /
# (matched + missed + extra)**.
#
# To get a feeling for it, take the expert's own labels and shift them. Each nucleus is
# still there, still whole, only in the wrong place.

# %%
shifted = {}
for pixels in (1, 3, 5):
    shifted[f"shifted by {pixels} px"] = np.roll(truth, pixels, axis=1)
nb.show.scores(nb.metrics.evaluate_each(truth, shifted))

# %% [markdown]
# Three pixels, hardly visible, cost little at 0.5 and almost everything at 0.8. So the
# threshold sets *how strict the score is*: 0.5 is enough for counting, 0.7 needs their
# shape, 0.9 needs their exact border, where two experts disagree as well. *Mean AP*
# averages from 0.5 to 0.9. (Other fields call another number AP; here it is the one of
# the Data Science Bowl and of StarDist.)
#
# **Exercise.** Which shift halves the AP at 0.5? Change `(1, 3, 5)` to the shifts that
# you want to try, and run the cell again.
#
# <details><summary>Solution</summary>
#
# At 6 pixels: the AP at 0.5 is 0.83 for a shift of 4, 0.60 for 5 and 0.41 for 6. An IoU
# of 0.5 is left as long as a nucleus shares two thirds of its area with itself: a shift
# of about a quarter of its width.
# </details>

# %% [markdown]
# ## 3. A perfect foreground is not enough
# Suppose a network tells nucleus from background **without a single wrong pixel**. We
# test that with the truth in place of a prediction: this is called an *oracle*, and no
# network can do better. Every connected region becomes one nucleus.

# %%
foreground = nb.targets.foreground.encode(truth)
connected = nb.targets.foreground.decode(foreground)

# %% tags=["exercise"]
score = nb.metrics.evaluate_each(truth, {"connected": connected})["connected"]
lost = 100 * (1 - score["pooled"]["0.50"]["recall"])
nb.widgets.guess("Which share of the nuclei is lost?", lost, unit="%")

# %%
nb.show.error_map(sample.image, sample.label, predicted=connected)

# %% [markdown]
# Every pixel right, and almost one nucleus in five lost: touching ones are *merged*.
# Pixel accuracy hides exactly the mistake that ruins a count. The remedy is to teach
# the network something that **differs between the two sides of a contact**.
#
# ## 4. First way: a border between them
# A third class: background, inside, and *border*. The border is drawn outside the
# nuclei, and where two touch, between them.

# %%
encode, decode = nb.targets.border.encode, nb.targets.border.decode
classes = {"outer": encode(truth, where="outer"), "inner": encode(truth, where="inner")}
cut = (slice(0, 160), slice(0, 160))
nb.show.images({kind: one[..., 0][cut] for kind, one in classes.items()})

# %% [markdown]
# Both split every pair, and they look equally good. Are they? Test the oracle: a
# perfect network for each, and each connected inside is a nucleus.
#
# **Break it.** First guess: which of the two will do worse, and at which threshold?
#
# **Exercise.** Before you run the cell: which borders limit even a perfect network,
# outer or inner ones?
#
# <details><summary>Solution</summary>
#
# Inner ones: they take pixels away from the nuclei, which the decoded cores lack.
# </details>

# %%
oracles = {}
for kind, one in classes.items():
    maps = (one == np.arange(3)).astype("float32")  # probability 1 for the true class
    oracles[kind] = decode(maps, where=kind, grow=0)
nb.show.scores(nb.metrics.evaluate_each(truth, oracles))

# %% [markdown]
# With inner borders a **perfect** network reaches an AP of 0 at 0.9: each nucleus has
# lost its rim, and for small ones the rim is a third of their area. No training can
# help: the target itself limits the score. That is why we test the oracle *before* we
# train: it takes seconds, not hours.
#
# The remedy: let each inside grow back by the width of the border.

# %%
grown = {}
for kind, one in classes.items():
    maps = (one == np.arange(3)).astype("float32")
    grown[kind] = decode(maps, where=kind, grow=2)
nb.show.scores(nb.metrics.evaluate_each(truth, grown))

# %% [markdown]
# **Exercise.** Why 2? Change `grow=2` to 1, then to 5, run the cell again, and look at
# the right end of the curves. (Then put 2 back.)
#
# <details><summary>Solution</summary>
#
# Next to nothing, from 2 on (a few pixels): a core grows into pixels of the border
# class only, and stops where these end. Growing by 1 is almost enough, since these
# borders are thin. A setting that can be too large without harm is a good setting.
# </details>

# %% [markdown]
# ## 5. Second way: a distance map in each nucleus
# Teach the network *how deep inside its nucleus* each pixel lies, from 0 at the border
# to 1 in the middle. On this map touching nuclei are two hills with a valley between
# them. From each pixel walk uphill until you reach a summit: pixels with the same
# summit belong together. A dent in one nucleus makes a second summit, too, so the
# *depth of the valley* decides: if it lies at least 0.15 below the lower summit, they
# are two nuclei; if less, one.

# %%
maps = nb.targets.distance.encode(truth)
grown["distance"] = nb.targets.distance.decode(maps[..., :2])
image = sample.image.replace(pixels=sample.image.pixels[cut])
nb.show.images({"image": image, "how deep inside": maps[..., 1][cut]})

# %%
nb.show.scores(nb.metrics.evaluate_each(truth, grown))

# %% [markdown]
# **Exercise.** The third bar has a few splits: dents in a nucleus that were taken for a
# contact. In the cell before, ask for a deeper valley: `decode(maps[..., :2],
# split=0.5)`. Run both cells again. What happens to splits, and what to merges?
#
# <details><summary>Solution</summary>
#
# 126 in place of 128: one split is left of three, and no two nuclei have merged. Go on
# to 0.9, and all that touch are merged: 106. In the map of a network the valleys are
# shallower than in this perfect one; `fit` chooses the depth on validation images.
# </details>

# %% tags=["exercise"]
deeper = nb.targets.distance.decode(maps[..., :2], split=0.5)
nb.widgets.guess("With split=0.5, how many nuclei of 125?", deeper.max(), unit="nuclei")

# %% [markdown]
# All three oracles are nearly perfect, so both ways are open. Which target a network
# *learns* better is another question, and only images answer it.
#
# ## 6. Train both
# We train on simulated nuclei that often touch; their truth is exact. Less than a
# minute each: enough to see, not enough for your paper.
#
# **Exercise.** How many patches will each network see?
#
# <details><summary>Solution</summary>
#
# 6 epochs of 15 steps of 4 patches: 360.
# </details>

# %%
crowd = {"shape_px": (128, 128), "clustering": (0.8,), "density": (0.25,)}
crowd |= {"radius_um": (4.0, 6.0), "photons": (50.0, 500.0)}
samples = nb.simulate.make("nuclei2d", count=24, seed=0, settings=crowd)
train, val, test = samples.split(val=0.15, test=0.4, seed=0)
budget = {"epochs": 6, "steps_per_epoch": 15, "batch_size": 4, "patch_size": 96}
borders = nb.methods.get("border_unet")(**budget)
borders.fit(train, val)
distances = nb.methods.get("fast_nuclei")(**budget)
nb.show.training(distances.fit(train, val))

# %% [markdown]
# ## 7. Move a threshold
# A network does not predict *nucleus*, it predicts *nucleus, with probability 0.7*.
# Where to put the threshold is our choice. **Move the slider**: what happens to dim
# nuclei, and what to touching ones? The network does not run again: its maps are kept,
# and only decoded once more.

# %%
image, label = test[0].image, test[0].label
prediction = distances.predict(image, raw=True)
views = {"image": image}
for channel, name in enumerate(("probability of nucleus", "how deep inside")):
    views[name] = image.replace(pixels=prediction.raw["maps"][..., channel])
nb.show.images(views)

# %%
slider = nb.widgets.explore_threshold(
    image, lambda t: distances.decode_again(prediction, threshold=t).labels
)
slider

# %% tags=["exercise"]
strict = distances.decode_again(prediction, threshold=0.9).labels
true = len(np.unique(label.pixels)) - 1
question = f"The image has {true} nuclei. How many are found at a threshold of 0.9?"
nb.widgets.guess(question, strict.pixels.max(), unit="nuclei")

# %%
chosen = distances.decode_again(prediction, threshold=slider.value)
nb.show.error_map(image, label, predicted=chosen.labels)

# %% [markdown]
# A low threshold finds dim nuclei and merges neighbours; a high one splits them and
# loses their rims. If you choose it by looking at *test* images, you have trained on
# them: `fit` has already chosen one for you on the validation images.
#
# ## 8. Do they differ?
# We compare both networks, the weights `nuclei2d_small` that come with this course
# (a distance map as well, trained for long, on other images), and the classical method
# of Otsu, on the same unseen images. Ten images are a small sample: draw them again and
# again with replacement, all methods on the same draw (*paired bootstrap*), and see how
# the **difference** varies.

# %%
models = {"borders": borders, "distance": distances}
models["nuclei2d_small"] = nb.methods.load("nuclei2d_small")
models["Otsu"] = nb.methods.load("otsu")
found = {}
for name, model in models.items():
    found[name] = [model.predict(sample.image) for sample in test]
scores = nb.metrics.evaluate_each(test, found)
nb.show.differences(nb.metrics.compare.compare(scores, baseline="Otsu"))

# %% [markdown]
# An interval that leaves out 0 is coloured: a clear difference *on images like these*.
# Grey means that the two cannot be told apart: more test images would help, not another
# decimal. After less than a minute of training the classical method may well lead. The
# network that was trained for long has a mean AP that is higher by 0.12, and yet its
# line against Otsu is grey. Set `epochs` to 40 above, have a coffee, and look again.
#
# **Exercise.** Two methods are compared on the same ten images; the difference in mean
# AP is 0.04, its interval -0.01 to 0.09. What would you do next?
#
# <details><summary>Solution</summary>
#
# More test images. The interval contains 0, so these ten cannot tell the methods apart;
# four times as many would halve its width. More decimals, or another metric chosen
# because it looks better, add nothing.
# </details>

# %% [markdown]
# ## You now have
# a score that you can explain (AP), two targets that split touching nuclei, the habit
# of testing the oracle first, and a fair comparison.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. A method has AP 0.95 at 0.5 and 0.10 at 0.9. Is it
# useless?</summary>
#
# For counting it is excellent. Its outlines are off by a pixel or two everywhere: a
# border that has not grown back, labels drawn too large, or simply nuclei so small that
# one pixel is a tenth of their area. For measuring areas you need to know which.
# </details>
#
# <details><summary>2. Why not draw a thicker border, so that the network cannot miss
# it?</summary>
#
# The inside shrinks with it, and small nuclei vanish: those cannot grow back. Better:
# give the thin border more weight in the loss, as Caicedo et al. did (setting
# `border_weight`).
# </details>
#
# <details><summary>3. The intervals of two methods overlap widely. Can one still be
# better?</summary>
#
# Yes. Both make mistakes on the same difficult images, so their scores rise and fall
# together; the *difference* on the same images can be steady all the same. That is why
# methods are compared in pairs, on the same images.
# </details>
#
# **Where next:** shapes and flows instead of borders and distances (lesson 11); the
# same on your images: `workbench_segment`. Many images, and labels for few of them:
# lesson 14. Both ideas in one network, after Mesmer: `mesmer`; borders as Caicedo et
# al. published them: `caicedo`. On the command line: `nbtools predict MODEL IMAGES
# --out OUT --raw`, `nbtools decode OUT --set threshold=0.4`, `nbtools compare OUT OTHER
# --truth DATA`.
