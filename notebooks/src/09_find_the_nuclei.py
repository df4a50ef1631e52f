# %% [markdown]
# # 09 · Find the nuclei in the image
#
# **You will be able to** train a network that tells nucleus from background, choose its
# threshold, explain what Dice and IoU leave out, measure how far a network sees and why
# tiles need margins, and go from planes to volumes.
#
# 15 minutes on two processor cores; no graphics card. Papers: Ronneberger et al. 2015,
# doi:10.1007/978-3-319-24574-4_28 (U-Net); Çiçek et al. 2016,
# doi:10.1007/978-3-319-46723-8_49 (3D U-Net); Haberl et al. 2018,
# doi:10.1038/s41592-018-0106-z (CDeep3M).

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
import numpy as np

# %% [markdown]
# ## 1. One number per pixel
# *Semantic segmentation* decides for every pixel: nucleus or background? The labels
# hold the truth, once we forget which nucleus is which.

# %%
scene = {"shape_px": (192, 192), "clustering": (0.2,), "density": (0.2,)}
scene |= {"radius_um": (5.0, 7.0), "photons": (30.0, 200.0)}
samples = nb.simulate.make("nuclei2d", count=20, seed=0, settings=scene)
train, val, test = samples.split(val=0.2, test=0.2, seed=0)
image, label = test[0].image, test[0].label
foreground = label.replace(pixels=(label.pixels > 0).astype("uint8"))
nb.show.images({"image": image, "the truth": foreground})

# %% [markdown]
# **Exercise.** Which share of the pixels is nucleus? Guess from the right picture, then
# compute `foreground.pixels.mean()` in a new cell.
#
# <details><summary>Solution</summary>
#
# About as much as the density of the scene says: 0.2, less what the border cuts.
# </details>
#
# ## 2. A U-Net
# On the way down, a **U-Net** makes the image smaller and smaller, so that each pixel
# receives information from farther away; on the way up, it makes it large again, and at
# each size it places the features of the way down *beside* those of the way up (a *skip
# connection*), so that borders stay sharp. It predicts once, at full size. (Some
# reviews, Mougeot et al. 2022 among them, write that a U-Net is "also known as FPN". A
# feature pyramid network (`fpn` here) *adds* features of one fixed width, and predicts
# at several sizes: two different decoders.)
#
# Training lowers a **loss**. Cross-entropy measures for each pixel how improbable the
# truth was in the prediction. The Dice loss measures for the whole image how little the
# two areas overlap. The first treats all pixels alike, the second is not dominated by
# the background; `unet` uses both.

# %%
unet = nb.methods.get("unet")(epochs=5, steps_per_epoch=20, batch_size=4, patch_size=96)
history = unet.fit(train, val)
nb.show.training(history)

# %% [markdown]
# **Exercise.** Five epochs of twenty steps, four patches a step. How often has the
# network looked at each training image, on average?
#
# <details><summary>Solution</summary>
#
# 5 · 20 · 4 = 400 patches, over the number of training images. Each time it is another
# patch, rotated and flipped at random: that is how a few images can teach a network.
# Change `epochs=5` to 1, run the cell again, and see where the curve stops.
# </details>

# %% tags=["exercise"]
looks = 5 * 20 * 4 / len(train)
nb.widgets.guess("How many patches of each image?", looks, unit="patches")

# %% [markdown]
# ## 3. From a probability to a nucleus
# The network predicts a probability: *nucleus, 0.7*. **Where do you put the
# threshold?** Guess which one gives the highest Dice.

# %%
prediction = unet.predict(image, raw=True)
probability = prediction.raw["maps"][..., 0]
shown = image.replace(pixels=probability)
nb.show.images({"image": image, "probability of nucleus": shown})

# %%
scores = {}
for threshold in (0.05, 0.3, 0.5, 0.7, 0.95):
    above = (probability > threshold).astype("uint8")
    pairs = nb.metrics.pair_results(label.pixels, above)
    scores[f"above {threshold}"] = nb.metrics.semantic.evaluate(pairs)

# %% tags=["exercise"]
highest = max(scores, key=lambda name: scores[name]["dice"])
nb.widgets.guess("Where is Dice highest?", highest, choices=list(scores))

# %%
nb.show.scores(scores)

# %% [markdown]
# A low threshold finds more pixels of the nuclei, and more background with them
# (*recall* up, *precision* down); a high one the other way round. **IoU** is the area
# that two regions share over the area that they cover together; **Dice** is the area
# that they share over the mean of their areas. Both rank results alike: Dice = 2 IoU /
# (1 + IoU), so Dice always looks better. `fit` chose its threshold on the validation
# images, never on these.
#
# ## 4. Break it: what Dice does not say
# A real image, and the expert's own labels. We damage them in three ways: remove all
# small nuclei; peel one pixel off each nucleus; keep every pixel and merge touching
# nuclei. **Rank the three by Dice, then by how bad they are for a count.**

# %%
truth = nb.data.samples("nuclei2d")[0].label.pixels.astype("int32")
large = np.bincount(truth.ravel())[truth] >= 250
peeled = np.where(nb.targets.border.find_edges(truth), 0, truth)
merged = nb.targets.foreground.decode(truth[..., None])
damaged = {"small ones gone": truth * large, "peeled": peeled, "merged": merged}
nb.show.labels(nb.image.Image(merged, "YX", name="merged"))

# %%
rows = []
for name, labels in damaged.items():
    pairs = nb.metrics.pair_results(truth, labels)
    pixels = nb.metrics.semantic.evaluate(pairs)
    nuclei = nb.metrics.instances.evaluate(pairs)["pooled"]["0.50"]
    row = {"damage": name, "Dice": pixels["dice"], "IoU": pixels["iou"]}
    row |= {"AP at 0.5": nuclei["ap"], "predicted": nuclei["tp"] + nuclei["fp"]}
    rows.append(row | {"true": nuclei["tp"] + nuclei["fn"]})

# %% tags=["exercise"]
lowest = min(rows, key=lambda row: row["Dice"])["damage"]
nb.widgets.guess("Which has the lowest Dice?", lowest, choices=list(damaged))

# %%
nb.show.table(rows)

# %% [markdown]
# A perfect Dice goes with a wrong count: *merged* has not a single wrong pixel.
# *Peeled* has the lowest Dice of the three, and a count that is nearly right. Dice and
# IoU count pixels, and large nuclei have most of them. If you need areas of tissue, use
# them; if you need nuclei, use AP (lesson 10). **A paper that reports Dice for nuclei
# has not told you whether it can count.**
#
# ## 5. How far does the network see?
# The prediction for a pixel depends only on its *receptive field*: a certain number of
# pixels to each side. We cover the right half of the image and look where the
# prediction changes.
#
# **Exercise.** Guess before you run the cell: how far can a pixel of this U-Net see, to
# each side?
#
# <details><summary>Solution</summary>
#
# The first line that the cell prints, the radius of the receptive field.
# </details>

# %%
pixels = image.pixels[..., None]
grey = nb.normalize.by_percentiles(pixels).apply(pixels)
covered = grey.copy()
covered[:, 96:] = 0
change = np.abs(unet.run(covered) - unet.run(grey))[..., 0]
changed = change.max(axis=0) > 1e-4 * change.max()
reach = 96 - np.flatnonzero(changed)[0]
print(f"The receptive field reaches {unet.field.radius[1]} px to each side.")
print(f"The prediction changes up to {reach} px from the cover.")
logarithm = image.replace(pixels=np.log10(change + 1e-6))
half = image.replace(pixels=covered[..., 0])
nb.show.images({"covered": half, "change, logarithmic": logarithm})

# %% [markdown]
# Two lessons. **A receptive field smaller than a nucleus is too small**: in the middle
# of a large nucleus such a network sees nothing but grey, and cannot tell nucleus from
# bright background. The remedy is one more level, or fewer pixels per nucleus. And:
# **what lies outside the receptive field changes nothing**, which is what makes tiles
# possible.
#
# ## 6. Break it: tiles without a margin
# A large image does not fit into memory, so it is predicted tile by tile. With a margin
# as wide as the receptive field, of which only the inner part is kept, tiles give what
# the whole image gives, up to rounding. Now remove the margin.

# %%
whole = unet.predict(image, raw=True).raw["maps"][..., 0]
with_margin = unet.predict(image, raw=True, tile=(136, 136)).raw["maps"][..., 0]
field, unet.field = unet.field, replace(unet.field, radius=(0, 0))
without = unet.predict(image, raw=True, tile=(64, 64)).raw["maps"][..., 0]
unet.field = field
errors = {}
for name, tiles in (("with a margin", with_margin), ("without a margin", without)):
    error = np.abs(tiles - whole)
    errors[f"{name}: {error.max():.0e}"] = image.replace(pixels=error)
nb.show.images(errors)

# %% [markdown]
# The seam shows where tiles meet: there each tile lacks what lies beyond its border.
# Programs that blend the tiles make the seam soft, not right. (Each picture has its own
# contrast; the number above it is its largest error.) In `nbtools` the margin follows
# from the network.
#
# **Exercise.** The image has 192 pixels a side, and tiles of 64 without a margin leave
# two seams in each direction. Change `tile=(64, 64)` to `(96, 96)` and run the cell
# again. Are there fewer seams, and is the largest error smaller?
#
# <details><summary>Solution</summary>
#
# One seam in each direction is left, in the middle: fewer pixels are wrong. The error
# on the seam itself is of the same order as before. Larger tiles hide the fault, a
# margin mends it.
# </details>

# %% [markdown]
# ## 7. Volumes: planes, blocks, or something between
# A **3D U-Net** sees blocks: it uses planes above and below, and costs time and memory.
# **CDeep3M** stands between: three networks see one, three and five planes and predict
# the middle one, each on sixteen rotated and mirrored views of the volume, and all
# predictions are averaged. (Ours applies the idea to U-Nets; the published network is
# another, larger one. To save time, we rotate and mirror within planes only.) Planes of
# the volumes below lie 1 µm apart, pixels 0.4 µm.

# %%
blocks = {"shape_px": (16, 96, 96), "density": (0.12,), "clustering": (0.4,)}
blocks |= {"radius_um": (3.0, 4.5), "photons": (50.0, 300.0)}
volumes = nb.simulate.make("nuclei3d", count=9, seed=1, settings=blocks)
train3d, val3d, test3d = volumes.split(val=0.2, test=0.25, seed=0)
nb.show.slices(test3d[0].image, test3d[0].label)

# %% [markdown]
# We train both, for 60 to 90 steps.

# %%
budget = {"epochs": 3, "augmentation": "flips"}
UNet, CDeep3M = nb.methods.get("unet"), nb.methods.get("cdeep3m")
models = {
    "3D U-Net": UNet(
        preset="tiny", steps_per_epoch=30, batch_size=2, patch_size=48, **budget
    ),
    "1, 3 and 5 planes": CDeep3M(
        steps_per_epoch=20, batch_size=4, patch_size=64, tta="flips_and_rot90", **budget
    ),
}
for model in models.values():
    model.fit(train3d, val3d)

# %% tags=["exercise"]
averaged = 3 * 8  # networks, and views of each: 4 rotations, mirrored or not
question = "How many predictions does the second model average for each plane?"
nb.widgets.guess(question, averaged, unit="predictions")

# %%
rows, found = [], {}
for name, model in models.items():
    found[name] = [model.predict(sample.image) for sample in test3d]
    pairs = nb.metrics.pair_results(test3d, found[name])
    nuclei = nb.metrics.instances.evaluate(pairs)["pooled"]["0.50"]
    row = {"model": name, "Dice": nb.metrics.semantic.evaluate(pairs)["dice"]}
    row |= {"AP at 0.5": nuclei["ap"], "matched": nuclei["tp"]}
    rows.append(row | {"missed": nuclei["fn"], "extra": nuclei["fp"]})
nb.show.table(rows)

# %%
nb.show.predictions(test3d[:1], found["1, 3 and 5 planes"])

# %% [markdown]
# Compare the columns: a good Dice needs the foreground only, a good AP needs touching
# nuclei to be split. So few steps are not much for three dimensions.
#
# ## You now have
# a foreground network and its threshold, a reason to distrust Dice, the size of a
# receptive field in pixels, tiles without seams, and two ways into the third dimension.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. A network gets Dice 0.97 on an image with one giant and forty
# small nuclei. What would you ask?</summary>
#
# How many of the small ones it finds. The giant may have most of the pixels, and Dice
# would hardly change if all the others were missing.
# </details>
#
# <details><summary>2. Your tiles are 128 px and the network sees 58 px to each side.
# How much of a tile is useful?</summary>
#
# A square of 128 - 2 · 58 = 12 px: 1 % of the pixels computed. Larger tiles, or a
# network that sees less far, save nearly all of the time.
# </details>
#
# <details><summary>3. Why reverse z in test-time augmentation for three and five
# planes, but not for one?</summary>
#
# A network of one plane never sees its neighbours: the reversed stack gives it the same
# planes, and the same predictions, in another order.
# </details>
#
# **Where next:** what to do where nuclei touch (lesson 10), or one marker per nucleus
# (lesson 12); your own images: `workbench_segment`. Other networks for the same
# question: `hrnet` (several resolutions side by side), `fullnet` (dilated convolutions
# in place of coarse levels) and `unetr` (a transformer as encoder). On the command
# line: `nbtools train unet DATA --out MODEL`, `nbtools predict MODEL IMAGES --out OUT
# --tile 16,256,256`.
