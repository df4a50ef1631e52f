# %% [markdown]
# # 09 · Find the nuclei in the image
#
# **You will be able to** train a network that tells nucleus from background, choose its
# threshold, say what Dice and IoU leave out, see how far a network sees and why tiles
# need margins, and go from planes to volumes.
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
# ## 1. One number a pixel
# *Semantic segmentation* asks of every pixel: nucleus or background? The labels already
# say so, if we forget which nucleus is which.

# %%
scene = {
    "shape_px": (192, 192),
    "clustering": (0.2,),
    "density": (0.2,),
    "radius_um": (5.0, 7.0),
    "photons": (30.0, 200.0),
}
train, val, test = nb.simulate.make("nuclei2d", count=20, seed=0, settings=scene).split(
    val=0.2, test=0.2, seed=0
)
image, label = test[0].image, test[0].label
nb.show.images(
    [
        image,
        label.replace(
            pixels=(label.pixels > 0).astype("uint8"), name="what is asked for"
        ),
    ]
)

# %% [markdown]
# ## 2. A U-Net
# Going down, a **U-Net** makes the image smaller and smaller, so that a pixel comes to
# know of its surroundings; going up, it makes it large again, and at each size it lays
# the features of the way down *beside* those of the way up (a *skip*), so that borders
# stay sharp. It answers once, at full size. (Some reviews, Mougeot et al. 2022 among
# them, write that a U-Net is "also known as FPN". A feature pyramid network *adds*
# features of one fixed width, and answers at several sizes: two different decoders.)
#
# Training lowers a **loss**. Cross-entropy asks each pixel: how surprised were you by
# the truth? Dice asks the image: how much do the two areas share? The first is fair to
# pixels, the second does not drown in background; `unet` uses both.

# %%
unet = nb.methods.get("unet")(epochs=5, steps_per_epoch=20, batch_size=4, patch_size=96)
history = unet.fit(train, val)
nb.show.training(history)

# %% [markdown]
# ## 3. From a probability to a nucleus
# The network says *nucleus, with probability 0.7*. **Where do you cut?** Guess which
# threshold gives the highest Dice.

# %%
found = unet.predict(image, raw=True)
probability = found.raw["maps"][..., 0]
nb.show.images(
    [image, image.replace(pixels=probability, name="probability of nucleus")]
)

# %%
judge = nb.metrics.semantic.evaluate
cuts = {f"above {t}": probability > t for t in (0.05, 0.3, 0.5, 0.7, 0.95)}
nb.show.scores(
    {name: judge([("a", label.pixels, cut.astype(int))]) for name, cut in cuts.items()}
)

# %% [markdown]
# A low threshold finds every pixel of every nucleus and much besides (*recall* up,
# *precision* down); a high one the other way round. **IoU** is what two areas share
# over what they cover together; **Dice** is what they share over their mean. They say
# the same with other numbers: Dice = 2 IoU / (1 + IoU), so Dice always looks better.
# `fit` chose a threshold on the validation images, never on these.
#
# ## 4. Break it: what Dice does not say
# A real image, and the expert's own labels. We damage them in three ways: take all
# small nuclei away; peel one pixel off each nucleus; keep every pixel and forget where
# touching nuclei part. **Rank the three by Dice, then by how bad they are for a
# count.**

# %%
truth = nb.data.samples("nuclei2d")[0].label.pixels.astype("int32")
large = np.bincount(truth.ravel())[truth] >= 250
peeled = np.where(nb.targets.border.find_edges(truth), 0, truth)
joined = nb.targets.semantic.decode(truth[..., None])
damaged = {"small ones gone": truth * large, "peeled": peeled, "run together": joined}
nb.show.labels(nb.image.Image(joined, "YX", name="run together"))

# %%
pixels = [judge([("a", truth, one)]) for one in damaged.values()]
nuclei = [
    nb.metrics.instances.evaluate([("a", truth, one)])["pooled"]["0.50"]["ap"]
    for one in damaged.values()
]
columns = {
    "Dice": [p["dice"] for p in pixels],
    "IoU": [p["iou"] for p in pixels],
    "AP at 0.5": nuclei,
}
nb.show.table(
    {
        "damage": list(damaged),
        **columns,
        "nuclei of 125": [len(np.unique(one)) - 1 for one in damaged.values()],
    }
)

# %% [markdown]
# A perfect Dice goes with a wrong count: *run together* has not a single wrong pixel.
# Dice and IoU count pixels, and large nuclei have most of them. If you need areas of
# tissue, they are right; if you need nuclei, use AP (lesson 10). **A paper that reports
# Dice for nuclei has not told you whether it can count.**
#
# ## 5. How far does a pixel see?
# What a network says of a pixel depends on its *receptive field* alone: so many pixels
# to each side. We cover the right half of the image and look where the answer changes.

# %%
grey = nb.normalize.by_percentiles(image.pixels[..., None]).apply(
    image.pixels[..., None]
)
covered = grey.copy()
covered[:, 96:] = 0
change = np.abs(unet.forward(covered) - unet.forward(grey))[..., 0].max(
    axis=0
)  # of the answer, the largest of each column
far = 96 - np.flatnonzero(change > 1e-4 * change.max())[0]
print(
    f"The network can see {unet.field.radius[1]} px to each side. The answer changes up to {far} px from the cover."
)
nb.show.images(
    [
        nb.image.Image(covered[..., 0], "YX", name="covered"),
        nb.image.Image(
            np.log10(np.tile(change, (96, 1)) + 1e-6),
            "YX",
            name="change, log, by column",
        ),
    ]
)

# %% [markdown]
# Two lessons. **A field smaller than a nucleus is too small**: in the middle of a large
# nucleus such a network sees nothing but grey, and cannot know whether that is nucleus
# or a bright background. The remedy is one more level, or fewer pixels a nucleus. And:
# **what lies farther away than the field changes nothing**, which is what makes tiles
# possible.
#
# ## 6. Break it: tiles without a margin
# A large image does not fit into memory, so it is predicted tile by tile. With a margin
# as wide as the field, and only the inner part kept, the tiles give *exactly* what the
# whole image gives. Now take the margin away.

# %%
whole = unet.predict(image, raw=True).raw["maps"][..., 0]
good = unet.predict(image, raw=True, tile=(136, 136)).raw["maps"][..., 0]
honest, unet.field = unet.field, replace(unet.field, radius=(0, 0))
bad = unet.predict(image, raw=True, tile=(64, 64)).raw["maps"][..., 0]
unet.field = honest
seams = {"with a margin": np.abs(good - whole), "without": np.abs(bad - whole)}
nb.show.images(
    [
        image.replace(pixels=d, name=f"{name}: {d.max():.0e}")
        for name, d in seams.items()
    ]
)

# %% [markdown]
# The scar shows where tiles meet: there each tile had to guess what lies beyond.
# Programs that hide it by blending make it soft, not right. (Contrast is stretched in
# each picture by itself; the number above it is its largest error.) In nbtools the
# margin comes from the network.
#
# ## 7. Volumes: planes, blocks, or something between
# A **3D U-Net** sees blocks: it knows of planes above and below, and pays with time and
# memory. **CDeep3M** stands between: three networks see one, three and five planes and
# speak of the middle one, each asked of the volume in sixteen turned and mirrored
# views, all averaged. (Ours has the idea on U-Nets; the published trunk is another,
# larger one.) Planes of the volumes below lie 1 µm apart, pixels 0.4 µm.

# %%
blocks = {
    "shape_px": (16, 96, 96),
    "density": (0.12,),
    "clustering": (0.4,),
    "radius_um": (3.0, 4.5),
    "photons": (50.0, 300.0),
}
volumes, choose, unseen = nb.simulate.make(
    "nuclei3d", count=9, seed=1, settings=blocks
).split(val=0.2, test=0.25, seed=0)
nb.show.slices(unseen[0].image, unseen[0].label)

# %% [markdown]
# Both learn, for a few dozen steps each.

# %%
budget = {"epochs": 3, "augmentation": "flips"}
models = {
    "3D U-Net": nb.methods.get("unet")(
        preset="tiny", steps_per_epoch=30, batch_size=2, patch_size=48, **budget
    ),
    "1, 3 and 5 planes": nb.methods.get("cdeep3m")(
        steps_per_epoch=20, batch_size=4, patch_size=64, turns="plane", **budget
    ),
}
learned = [model.fit(volumes, choose) for model in models.values()]

# %%
answers = {
    name: [model.predict(sample.image) for sample in unseen]
    for name, model in models.items()
}
of = {
    name: [(s.name, s.label, one.labels) for s, one in zip(unseen, found, strict=True)]
    for name, found in answers.items()
}
apart = [
    nb.metrics.instances.evaluate(pairs)["pooled"]["0.50"] for pairs in of.values()
]
columns = {
    "Dice": [judge(pairs)["dice"] for pairs in of.values()],
    "AP at 0.5": [one["ap"] for one in apart],
}
nb.show.table(
    {
        "model": list(of),
        **columns,
        "found": [one["tp"] for one in apart],
        "missed": [one["fn"] for one in apart],
    }
)

# %%
nb.show.predictions(unseen[:1], answers["1, 3 and 5 planes"])

# %% [markdown]
# Compare the columns: a good Dice needs foreground only, a good AP needs nuclei that
# come apart. So few steps are little for three dimensions.
#
# ## You now have
# a foreground network and its threshold, a reason to distrust Dice, the size of a
# receptive field in pixels, tiles without scars, and two ways into the third dimension.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. A network gets Dice 0.97 on an image with one giant and forty
# small nuclei. What would you ask?</summary>
#
# How many of the small ones it found. The giant may hold most of the pixels, and Dice
# would hardly notice if all the others were missing.
# </details>
#
# <details><summary>2. Your tiles are 128 px and the network sees 58 px to each side.
# How much of a tile is useful?</summary>
#
# 128 - 2 · 58 = 12 px a side: 1 % of the pixels computed. Larger tiles, or a network
# that sees less far, save nearly all of the time.
# </details>
#
# <details><summary>3. Why reverse z in test-time augmentation for three and five
# planes, but not for one?</summary>
#
# A network of one plane never sees its neighbours: the reversed stack gives it the same
# planes, and the same answers, in another order.
# </details>
#
# **Where next:** what to do where nuclei touch (lesson 10), or a marker for each
# (lesson 12); your own images: `workbench_segment`. On the command line:
# `nbtools train unet DATA --out MODEL`,
# `nbtools predict MODEL IMAGES --out OUT --tile 16,256,256`.
