# %% [markdown]
# # 10 · Tell nuclei apart I: borders and distances
#
# **You will be able to** read an AP, part touching nuclei in two ways (a border between
# them, a hill inside each), choose a threshold, and tell whether two methods really
# differ.
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
# A real image with an expert's labels. **Count the places where two nuclei touch**:
# each is a chance to be wrong by one.

# %%
sample = nb.data.samples("nuclei2d")[0]
truth = sample.label.pixels.astype("int32")
nb.show.overlay(sample.image, sample.label)

# %% [markdown]
# ## 2. What AP means
# Two outlines of one nucleus, the expert's and ours: the area they share over the area
# they cover together is their *IoU*. At a threshold of 0.5 a nucleus is *found* if its
# IoU with a prediction of ours is 0.5 or more. Then **AP = found / (found + missed +
# invented)**.
#
# To get a feeling, take the expert's own labels and shift them. Each nucleus is still
# there, still whole, only beside itself.

# %%
judge = nb.metrics.instances.evaluate
nb.show.scores(
    {
        f"shifted by {n} px": judge([("a", truth, np.roll(truth, n, axis=1))])
        for n in (1, 3, 5)
    }
)

# %% [markdown]
# Three pixels, which no eye would mind, cost little at 0.5 and everything at 0.8. So
# the threshold says *what you ask for*: 0.5 counts nuclei, 0.7 wants their shape, 0.9
# wants their very border, where two experts disagree as well. *Mean AP* averages from
# 0.5 to 0.9. (Other fields call another number AP; here it is the one of the Data
# Science Bowl and of StarDist.)
#
# ## 3. A perfect foreground is not enough
# Suppose a network tells nucleus from background **without a single wrong pixel**. We
# test that by giving it the truth: this is called an *oracle*, and no network can do
# better. What is connected becomes one nucleus.

# %%
foreground = nb.targets.semantic.encode(truth)
connected = nb.targets.semantic.decode(foreground)
nb.show.error_map(sample.image, sample.label, predicted=connected)

# %% [markdown]
# Every pixel right, and one nucleus in five lost: touching ones are *merged*. Accuracy
# by pixel hides exactly the mistake that ruins a count. The remedy is to teach the
# network something that **differs between the two sides of a contact**.
#
# ## 4. First way: a border between them
# A third class: background, inside, and *border*. The border is drawn outside the
# nuclei, and where two touch, between them.

# %%
outer = nb.targets.border.encode(truth, where="outer")
inner = nb.targets.border.encode(truth, where="inner")
cut = (slice(0, 160), slice(0, 160))
nb.show.images(
    [
        nb.image.Image(classes[..., 0][cut], "YX", name=name)
        for name, classes in {"outer": outer, "inner": inner}.items()
    ]
)

# %% [markdown]
# Both part every pair. They look equally good. Are they? Ask the oracle: a perfect
# network for each, and each connected inside is a nucleus.
#
# **Break it.** First guess: which of the two will do worse, and at which threshold?

# %%
kinds = {"outer": outer == np.arange(3), "inner": inner == np.arange(3)}
cores = {
    kind: nb.targets.border.decode(maps.astype("float32"), where=kind, grow=0)
    for kind, maps in kinds.items()
}
nb.show.scores(
    {f"{kind} border": judge([("a", truth, label)]) for kind, label in cores.items()}
)

# %% [markdown]
# With inner borders a **perfect** network reaches an AP of 0 at 0.9: each nucleus has
# lost its rim, and for small ones the rim is a third of their area. No training can
# help; the target itself is capped. That is why we ask the oracle *before* we train:
# seconds, not hours.
#
# The remedy: let each core grow back by the width of the border.

# %%
grown = {
    kind: nb.targets.border.decode(maps.astype("float32"), where=kind, grow=2)
    for kind, maps in kinds.items()
}
nb.show.scores(
    {
        f"{kind}, grown back": judge([("a", truth, label)])
        for kind, label in grown.items()
    }
)

# %% [markdown]
# ## 5. Second way: a hill in each nucleus
# Teach the network *how deep inside its nucleus* each pixel lies, from 0 at the border
# to 1 in the middle. Touching nuclei are then two hills with a valley between them.
# From each pixel walk uphill, and you come to a summit: pixels with the same summit are
# a hill. A dent in one nucleus makes a second summit, too, so the *depth of the valley*
# decides: at least `split` (here 0.15) below the lower summit, and they are two nuclei;
# less, and they are one.

# %%
hills = nb.targets.distance.encode(truth)
parted = nb.targets.distance.decode(hills[..., :2])
pictures = [
    sample.image.replace(pixels=sample.image.pixels[cut]),
    nb.image.Image(hills[..., 1][cut], "YX", name="how deep inside"),
]
nb.show.images(pictures)

# %%
nb.show.scores(
    {
        "borders": judge([("a", truth, grown["outer"])]),
        "hills": judge([("a", truth, parted)]),
    }
)

# %% [markdown]
# Both oracles are nearly perfect, so both ways are open. Which one *learns* better is
# another question, and only images answer it.
#
# ## 6. Train both
# On simulated nuclei that touch often; the truth is exact there. About a minute each:
# enough to see, not enough for your paper.

# %%
crowd = {
    "shape_px": (128, 128),
    "clustering": (0.8,),
    "density": (0.25,),
    "radius_um": (4.0, 6.0),
    "photons": (50.0, 500.0),
}
train, val, test = nb.simulate.make("nuclei2d", count=24, seed=0, settings=crowd).split(
    val=0.15, test=0.4, seed=0
)
budget = {"epochs": 6, "steps_per_epoch": 15, "batch_size": 4, "patch_size": 96}
models = {
    "borders": nb.methods.get("border_unet")(**budget),
    "hills": nb.methods.get("fast_nuclei")(**budget),
}
histories = {name: model.fit(train, val) for name, model in models.items()}
nb.show.training(histories["hills"])

# %% [markdown]
# ## 7. Move a threshold
# A network does not say *nucleus*, it says *nucleus, with probability 0.7*. Where to
# cut is our choice. **Move the slider**: what happens to dim nuclei, and what to
# touching ones? The network is not asked again: its answer is kept, and only decoded
# anew.

# %%
found = models["hills"].predict(test[0].image, raw=True)
slider = nb.widgets.explore_threshold(
    test[0].image, lambda t: models["hills"].decode_again(found, threshold=t).labels
)
slider

# %%
chosen = models["hills"].decode_again(found, threshold=slider.value).labels
nb.show.error_map(test[0].image, test[0].label, predicted=chosen)

# %% [markdown]
# A low threshold finds dim nuclei and glues neighbours; a high one parts them and loses
# their rims. If you choose it by looking at *test* images, you have trained on them:
# `fit` has already chosen one for you on the validation images.
#
# ## 8. Do they differ?
# Borders and hills after a minute, the hills that come with this course (trained for
# long, on other images), and the classical method, on the same unseen images. A few
# images are a small sample: draw them again and again with replacement, all methods on
# the same draw (*paired bootstrap*), and see how the **difference** varies.

# %%
models |= {
    "hills, trained for long": nb.methods.load("nuclei2d"),
    "classical": nb.methods.load("otsu"),
}
results = {
    name: judge([(s.name, s.label, model.predict(s.image).labels) for s in test])
    for name, model in models.items()
}
nb.show.differences(nb.metrics.compare.compare(results, baseline="classical"))

# %% [markdown]
# An interval that leaves out 0 is a difference beyond doubt *on images like these*.
# Grey ones cannot be told apart: more test images would be needed, not another decimal.
# After one minute of training the classical method may well lead: that is what a minute
# is worth. Set `epochs` to 40 above, have a coffee, and look again.
#
# ## You now have
# a number you can explain (AP), two targets that part touching nuclei, the habit of
# asking the oracle first, and a fair comparison.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. A method has AP 0.95 at 0.5 and 0.10 at 0.9. Is it
# useless?</summary>
#
# For counting it is excellent. Its outlines are off by a pixel or two everywhere: a
# border that was not grown back, labels drawn too large, or simply nuclei so small that
# one pixel is a tenth of their area. For measuring areas you would want to know which.
# </details>
#
# <details><summary>2. Why not draw a thicker border, so that the network cannot miss
# it?</summary>
#
# The inside shrinks with it, and small nuclei vanish: then no growing back can help.
# Better: give the thin border more weight in the loss, as Caicedo et al. did (setting
# `border_weight`).
# </details>
#
# <details><summary>3. The intervals of two methods overlap widely. Can one still be
# better beyond doubt?</summary>
#
# Yes. Both stumble over the same difficult images, so their scores rise and fall
# together; the *difference* on the same images can be steady all the same. That is why
# it is judged paired.
# </details>
#
# **Where next:** shapes and flows instead of borders and hills (lesson 11); the same on
# your images: `workbench_segment`. On the command line:
# `nbtools predict MODEL IMAGES --out OUT --raw`,
# `nbtools decode OUT --set threshold=0.4`, `nbtools compare OUT OTHER --truth DATA`.
