# %% [markdown]
# # 07 · Restore with clean partners
#
# **You will be able to** train a network on pairs of a noisy and a clean image, in 2D
# and 3D, measure what it gains, and notice when it invents what is not there.
#
# Some minutes per network on two processor cores. Papers: CARE (Weigert et al. 2018,
# doi:10.1038/s41592-018-0216-7); 3D-RCAN (Chen et al. 2021,
# doi:10.1038/s41592-021-01155-x).

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
# ## 1. Pairs
# At the microscope: take each field twice, once with little light and once with much,
# on fixed cells, which much light does not harm. Then restore movies of living cells
# taken with little light. Here the pairs are simulated: 10 photons in the brightest
# pixels, and beside it the same field without noise. Both belong together pixel by
# pixel; **a stage that drifts between the two spoils everything**.

# %%
look = {"shape_px": (192, 192), "radius_um": (4.0, 7.0), "photons": (10.0,)}
pairs = nb.simulate.make("pairs", count=16, seed=0, settings=look)
train, val, test = pairs.split(val=0.15, test=0.25, seed=0)
nb.show.pairs(train, limit=2)

# %% [markdown]
# **Exercise.** The stage drifts, each time another way, before the clean image. CARE
# learns … Choose: "to shift every image", "to blur" or "nothing wrong".
#
# <details><summary>Solution</summary>
#
# "to blur". The mean of all possible shifts is a blurred image.
# </details>
#
# ## 2. Train
# CARE is a U-Net that gets the noisy patch as input and learns to predict the clean
# one, and here also how far off it expects to be (section 7). The lower the loss, the
# closer the prediction.

# %%
budget = {"epochs": 8, "steps_per_epoch": 50, "batch_size": 8}

# %% tags=["exercise"]
patches = budget["epochs"] * budget["steps_per_epoch"] * budget["batch_size"]
nb.widgets.guess("How many patches will CARE see?", patches, unit="patches")

# %%
care = nb.methods.get("care")(probabilistic=True, **budget)
history = care.fit(train, val)
nb.show.training(history)

# %% [markdown]
# ## 3. Is it better, and by how much?
# We compare three methods: *non-local means*, a classical method that averages patches
# which look alike; `denoise2d`, the same network trained for a quarter of an hour on
# pairs of 5 to 100 photons, which comes with the course; and yours. **PSNR** in dB: 6
# more is half the error. **SSIM**: 1 is the same structure.

# %% tags=["exercise"]
nb.widgets.guess("12 dB more: the error is divided by?", 10 ** (12 / 20))

# %%
models = {"non-local means": nb.methods.load("nlm")}
models |= {"CARE, shipped": nb.methods.load("denoise2d"), "CARE": care}
sample, restored = test[0], {}
for name, model in models.items():
    restored[name] = model.predict(sample.image, raw=True)
nb.show.restored(sample.image, restored, clean=sample.clean)

# %%
nb.show.error_maps({"noisy": sample.image} | restored, sample.clean)

# %% [markdown]
# ## 4. Another network
# RCAN has no coarse levels: it works at full resolution, in blocks that add a small
# correction to their input, and weights its feature channels by how useful they are in
# this image (*channel attention*).

# %%
models["RCAN"] = nb.methods.get("rcan")(**budget)
models["RCAN"].fit(train, val)
scores = {}
for name, model in models.items():
    rows = [(s.name, s.clean, model.predict(s.image).image, s.image) for s in test]
    scores[name] = nb.metrics.restoration.evaluate(rows)

# %% tags=["exercise"]
best = max(scores, key=lambda name: scores[name]["mean"]["psnr"])
nb.widgets.guess("Which has the highest PSNR?", best, choices=list(scores))

# %%
nb.show.denoisers(scores)

# %% [markdown]
# What the papers found: on a real recording of *Convallaria* CARE reached 36.69 dB from
# 28.98, 0.1 dB above the best method without clean images (published notebooks of the
# authors of PN2V and DecoNoising; the range is that of the clean image). Of 3D-RCAN we
# quote no number: its paper has them in figures only. So **clean partners gain little
# on easy images**; the papers recommend them where there is hardly any light, where
# blur is to be removed, and where neighbouring pixels share their noise.
#
# Ours, trained for longer: 600 steps of 8 patches for each method, eight rotated and
# mirrored views averaged (`tta=flips_and_rot90`), 8 test images, PSNR in dB
# (`python benchmarks/restoration.py`; one seed; N2V2 is the best of lesson 08's at 20
# and 100 photons, and 0.1 dB below the best at 5):
#
# | brightest pixels | noisy | non-local means | N2V2, no clean partners | RCAN | CARE |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | 5 photons | 9.0 | 29.2 | 31.6 | 31.3 | 32.1 |
# | 20 photons | 19.7 | 36.2 | 38.2 | 37.6 | 39.4 |
# | 100 photons | 29.9 | 43.2 | 44.3 | 43.6 | 46.0 |
#
# Here the clean partners gain most where there is much light: then noise no longer
# hides the difference. RCAN stays behind CARE in this table: our small RCAN has less
# than a fifth of CARE's parameters and a smaller receptive field. After the shorter
# training above, the two are close.
#
# ## 5. In three dimensions
# The same lines work for volumes. A network that sees the planes above and below
# predicts better than one that sees a single plane; but so does non-local means. Ours,
# trained for longer (2,700 steps of one patch of 16 x 32 x 32, RCAN 1,200; 9 to 14
# minutes each on one core; 4 test volumes):
#
# | brightest voxels | noisy | non-local means | N2V, no clean partners | RCAN | CARE |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | 5 photons | 9.4 | 30.3 | 33.0 | 34.2 | 32.9 |
# | 20 photons | 19.9 | 37.3 | 38.8 | 39.9 | 39.7 |
# | 100 photons | 29.9 | 44.4 | 44.6 | 44.7 | 45.8 |
#
# In dim volumes RCAN is ahead of CARE, by more than 1 dB at 5 photons; where there is
# much light, N2V and RCAN are better than non-local means by no more than chance. Small
# patches and many steps matter here: with 1,200 steps of patches of 48 px, the same
# work, N2V at 100 photons was 0.6 dB worse.
#
# **Exercise.** With 5 photons, which network leads in planes, and which in volumes?
# Choose: "CARE in both", "RCAN in both" or "CARE in planes, RCAN in volumes".
#
# <details><summary>Solution</summary>
#
# "CARE in planes, RCAN in volumes". Neither is better everywhere: measure.
# </details>

# %%
deep = {"shape_px": (16, 96, 96), "radius_um": (3.0, 5.0), "photons": (10.0,)}
volumes = nb.simulate.make("pairs", count=5, seed=1, settings=deep)
learn, new = volumes.subset([0, 1, 2, 3]), volumes[4]
budget3d = {"epochs": 4, "steps_per_epoch": 30, "batch_size": 4}
budget3d |= {"patch_size": 32, "patch_depth": 8}
restored3d = {}
for name in ("care", "rcan"):
    model = nb.methods.get(name)(**budget3d)
    model.fit(learn)
    restored3d[name.upper()] = model.predict(new.image)
nb.show.restored(new.image, restored3d, clean=new.clean)

# %% [markdown]
# ## 6. Break it: show it what it has never seen
# The network has learned what *nuclei* look like, and fills in what the photons leave
# open. Now give it something else: many small rods, like bacteria. **Before you run the
# cell: will it draw rods, or nuclei?**

# %%
rods = look | {"radius_um": (0.9, 1.1), "elongation": (3.0, 5.0), "density": (0.12,)}
rods |= {"chromocentres": (0.0,), "nucleoli": (0.0,)}
strange = nb.simulate.make("pairs", count=1, seed=5, settings=rods)[0]
drawn = {}
for name in ("non-local means", "CARE"):
    drawn[name] = models[name].predict(strange.image, raw=True)

# %% tags=["exercise"]
off = {}
for name, one in drawn.items():
    off[name] = nb.metrics.restoration.rmse(one.image, strange.clean)
question = "On rods, which has the smaller error?"
nb.widgets.guess(question, min(off, key=off.get), choices=list(off))

# %%
nb.show.restored(strange.image, drawn, clean=strange.clean)

# %% [markdown]
# Compare the enlarged part with the clean one: which rods were merged, cut, rounded
# off, or lost? And which would you have noticed **without** the clean image? A restored
# image is smooth and convincing whether it is right or wrong, and nothing in the
# picture says which. That holds for the classical method as well; but only the network
# has learned from *nuclei*.
#
# ## 7. How certain is the prediction?
# Our CARE is *probabilistic*: for each pixel it predicts a value and a *scale*, how far
# off it expects to be. Half of all pixels should lie within 0.69 scales of the truth.
# Do they, on nuclei? And on rods?

# %%
scale = restored["CARE"].raw["scale"][..., 0]
scale_rods = drawn["CARE"].raw["scale"][..., 0]
nb.show.images({"uncertainty: nuclei": scale, "uncertainty: rods": scale_rods})

# %%
error = np.abs(restored["CARE"].image.pixels - sample.clean.pixels)
error_rods = np.abs(drawn["CARE"].image.pixels - strange.clean.pixels)
shares = [np.mean(error < 0.69 * scale), np.mean(error_rods < 0.69 * scale_rods)]

# %% tags=["exercise"]
question = "It should be 50 %. Which share of the pixels, on rods?"
nb.widgets.guess(question, 100 * shares[1], unit="%")

# %%
nb.show.table({"images": ["nuclei", "rods"], "share within 0.69 scales": shares})

# %% [markdown]
# Where is it most uncertain? At edges and in bright places, as it should be. A share
# near 0.5 means that the scale is right *on average over the pixels*, most of which are
# background. It does not tell you which rod is right: the network knows only what it
# has learned, and **on images unlike any it was trained on** a scale is a guess as
# well. A network cannot tell you that an image is of the wrong kind; only a clean
# partner can.
#
# ## You now have
# two networks that restore with clean partners, a score for each beside the classical
# method, a map of uncertainty, and a warning to take along.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. You restore images of mutants with a network trained on wild
# type. What may happen?</summary>
#
# It makes the mutants look like the wild type: the differences that you look for become
# smaller, or vanish. Train on pairs of both, and check on pairs of each that the
# *measurement* you report is the same on restored and on clean images.
# </details>
#
# <details><summary>2. Your clean images were taken a second after the noisy ones, and
# the cells move. Does it matter?</summary>
#
# Yes: the network learns to expect any possible shift, and predicts their mean, which
# is blurred. Use fixed samples, or record both at once.
# </details>
#
# <details><summary>3. PSNR rose by 8 dB. May you now count the spots in
# nuclei?</summary>
#
# Not because of that alone: PSNR is about the majority of pixels, and spots are few.
# Count spots in the clean partners of test images, and compare.
# </details>
#
# **Where next:** no clean partners? Lesson 08. Your own images: `workbench_denoise`.
