# %% [markdown]
# # 07 · Restore with clean partners
#
# **You will be able to** train a network on pairs of a noisy and a clean image, in 2D
# and 3D, put a number on what it gained, and catch it when it invents what is not
# there.
#
# Some minutes a network on two processor cores. Papers: CARE (Weigert et al. 2018,
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
# on fixed cells, which do not mind. Then restore movies of living cells taken with
# little light. Here the pairs are simulated: 10 photons in the brightest pixels, and
# beside it the same field with endless light. Both belong together pixel by pixel; **a
# stage that drifts between the two spoils everything**.

# %%
look = {"shape_px": (192, 192), "radius_um": (4.0, 7.0), "photons": (10.0,)}
train, val, test = nb.simulate.make("pairs", count=16, seed=0, settings=look).split(
    val=0.15, test=0.25, seed=0
)
nb.show.pairs(train, limit=2)

# %% [markdown]
# ## 2. Train
# CARE is a U-Net that is shown the noisy patch and asked for the clean one. The loss is
# how far it is off, so this time it *can* come near zero. Beside yours, one that comes
# with the course, `denoise2d`: the same network, trained for a quarter of an hour on
# pairs of 5 to 100 photons.

# %%
budget = {"epochs": 8, "steps_per_epoch": 50, "batch_size": 8}
models = {
    "non-local means": nb.methods.load("nlm"),
    "CARE, shipped": nb.methods.load("denoise2d"),
}
models["CARE"] = nb.methods.get("care")(probabilistic=True, **budget)
nb.show.training(models["CARE"].fit(train, val))

# %% [markdown]
# ## 3. Is it better, and by how much?
# Beside it *non-local means*, a classical method that averages patches which look
# alike. **PSNR** in dB: 6 more is half the error. **SSIM**: 1 is the same structure.

# %%
sample = test[0]
found = {name: model.predict(sample.image, raw=True) for name, model in models.items()}
nb.show.restored(sample.image, found, clean=sample.clean)

# %%
nb.show.error_maps({"noisy": sample.image} | found, sample.clean)

# %% [markdown]
# ## 4. Another network
# RCAN has no coarse levels: it works at full resolution, in blocks that add a little to
# what they were given, and weighs its feature channels by how useful they are in this
# image (*channel attention*).

# %%
models["RCAN"] = nb.methods.get("rcan")(**budget)
models["RCAN"].fit(train, val)
judge = nb.metrics.restoration.evaluate
nb.show.denoisers(
    {
        n: judge((s.name, s.clean, m.predict(s.image).image, s.image) for s in test)
        for n, m in models.items()
    }
)

# %% [markdown]
# What the papers found: on a real recording of *Convallaria* CARE reached 36.69 dB from
# 28.98, 0.1 dB above the best method without clean images (published notebooks of the
# authors of PN2V and DecoNoising; the range is that of the clean image). Of 3D-RCAN we
# quote no number: its paper has them in figures only. So **clean partners buy little on
# easy images**; they pay where there is hardly any light, where blur is to be undone,
# and where neighbours share their noise. Is that what you see above?
#
# Ours, longer: 600 steps of 8 patches for each method, eight turned views averaged
# (`turns=plane`), 8 test images, PSNR in dB (`python benchmarks/restoration.py`; one
# seed; N2V2 is the best of lesson 08's at 20 and 100 photons, and 0.1 dB below the best
# at 5):
#
# | brightest pixels | noisy | non-local means | N2V2, no clean partners | RCAN | CARE |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | 5 photons | 9.0 | 29.2 | 31.6 | 31.3 | 32.1 |
# | 20 photons | 19.7 | 36.2 | 38.2 | 37.6 | 39.4 |
# | 100 photons | 29.9 | 43.2 | 44.3 | 43.6 | 46.0 |
#
# Here the clean partners pay most where there is much light: then noise no longer hides
# the difference. The small RCAN has less than a fifth of CARE's parameters and sees a
# smaller surrounding; in minutes it does not catch up.
#
# ## 5. In three dimensions
# The same in volumes, by the same line. A network that sees the planes above and below
# guesses better than one that sees a single plane; but so does non-local means. Ours,
# longer (2,700 steps of one patch of 16 x 32 x 32, RCAN 1,200; 9 to 14 minutes each on
# one core; 4 test volumes):
#
# | brightest voxels | noisy | non-local means | N2V, no clean partners | RCAN | CARE |
# | --- | ---: | ---: | ---: | ---: | ---: |
# | 5 photons | 9.4 | 30.3 | 33.0 | 34.2 | 32.9 |
# | 20 photons | 19.9 | 37.3 | 38.8 | 39.9 | 39.7 |
# | 100 photons | 29.9 | 44.4 | 44.6 | 44.7 | 45.8 |
#
# In dim volumes RCAN is ahead of CARE, by 1.4 dB at 5 photons; where there is much
# light, N2V and RCAN beat non-local means by no more than chance. Small patches and
# many steps matter here: with 1,200 steps of patches of 48 px, the same work, N2V at
# 100 photons was 0.6 dB worse.

# %%
deep = {"shape_px": (16, 96, 96), "radius_um": (3.0, 5.0), "photons": (10.0,)}
volumes = nb.simulate.make("pairs", count=5, seed=1, settings=deep)
cubes = {
    "batch_size": 4,
    "patch_size": 32,
    "patch_depth": 8,
    "epochs": 4,
    "steps_per_epoch": 30,
}
solid = {
    "CARE": nb.methods.get("care")(**cubes),
    "RCAN": nb.methods.get("rcan")(**cubes),
}
histories = [model.fit(volumes.subset([0, 1, 2, 3])) for model in solid.values()]
nb.show.restored(
    volumes[4].image,
    {n: m.predict(volumes[4].image) for n, m in solid.items()},
    clean=volumes[4].clean,
)

# %% [markdown]
# ## 6. Break it: show it what it has never seen
# The network has learned what *nuclei* look like, and fills in what the photons leave
# open. Now give it something else: many small rods, as bacteria would be. **Before you
# run the cell: will it draw rods, or nuclei?**

# %%
rods = look | {
    "radius_um": (0.9, 1.1),
    "elongation": (3.0, 5.0),
    "density": (0.12,),
    "chromocentres": (0.0,),
    "nucleoli": (0.0,),
}
strange = nb.simulate.make("pairs", count=1, seed=5, settings=rods)[0]
odd = {
    name: models[name].predict(strange.image, raw=True)
    for name in ("non-local means", "CARE")
}
nb.show.restored(strange.image, odd, clean=strange.clean)

# %% [markdown]
# Compare the enlarged part with the clean one: which rods were merged, cut, rounded
# off, or lost? And which would you have noticed **without** the clean image? A restored
# image is smooth and convincing whether it is right or wrong, and nothing in the
# picture says which. That holds for the classical method as well; only the networks
# have a liking for *nuclei*.
#
# ## 7. Let it say how sure it is
# Our CARE is *probabilistic*: for each pixel it gives a value and a *scale*, how far
# off it expects to be. Half of all pixels should lie within 0.69 scales of the truth.
# Do they, on nuclei? And on rods?

# %%
scales = {"nuclei": (sample, found["CARE"]), "rods": (strange, odd["CARE"])}
nb.show.images(
    [
        s.image.replace(pixels=f.raw["scale"][..., 0], name=f"how unsure: {n}")
        for n, (s, f) in scales.items()
    ]
)

# %%
off = {
    n: np.abs(f.image.pixels - s.clean.pixels) / f.raw["scale"][..., 0]
    for n, (s, f) in scales.items()
}
nb.show.table(
    {
        "images": list(off),
        "within 0.69 scales, should be 0.5": [
            float((o < 0.69).mean()) for o in off.values()
        ],
    }
)

# %% [markdown]
# Where is it most unsure? Edges and bright places are where it should be. But it
# measures its doubt by what it has learned: the further the share for rods is from that
# for nuclei, the less its doubt is worth **on images unlike any it has seen**. A
# network cannot tell you that it was given the wrong question; only a clean partner
# can.
#
# ## You now have
# two networks that restore with clean partners, a number for each beside the classical
# method, a map of doubt, and a warning to take along.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. You restore images of mutants with a network trained on wild
# type. What may happen?</summary>
#
# It draws the mutants as the wild type looks: differences you are after become smaller,
# or vanish. Train on pairs of both, and check on pairs of each that the *measurement*
# you report is the same on restored and on clean images.
# </details>
#
# <details><summary>2. Your clean images were taken a second after the noisy ones, and
# the cells move. Does it matter?</summary>
#
# Yes: the network learns to expect any shift that may be, and answers with their mean,
# which is blur. Fixed samples, or both channels at once.
# </details>
#
# <details><summary>3. PSNR rose by 8 dB. May you now count the spots in
# nuclei?</summary>
#
# Not by that alone: PSNR is about most pixels, spots are few. Count spots in the clean
# partners of test images, and compare.
# </details>
#
# **Where next:** no clean partners? Lesson 08. Your own images: `workbench_denoise`.
