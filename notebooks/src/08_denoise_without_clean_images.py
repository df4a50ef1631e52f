# %% [markdown]
# # 08 · Denoise without clean images
#
# **You will be able to** remove noise from images of which you have no clean copy, tell
# when that must fail, and measure the gain.
#
# Some minutes per network on two processor cores. Papers: Noise2Void (Krull et al.
# 2019, doi:10.1109/CVPR.2019.00223), N2V2 (Höck et al. 2022, arXiv:2211.08512), PN2V
# (Krull et al. 2020, doi:10.3389/fcomp.2020.00005), DecoNoising (Goncharova et al.
# 2020, doi:10.48550/arXiv.2008.08414), structured noise (Broaddus et al. 2020,
# doi:10.1109/ISBI45749.2020.9098336).

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
# ## 1. Less and less light
# One field of nuclei, three exposures: 100, 20 and 5 photons in its brightest pixels.
# **In which could you no longer count the nuclei?** Light bleaches and harms cells, so
# the dark image is often the one that you have.

# %%
look = {"shape_px": (192, 192), "radius_um": (4.0, 7.0), "chromocentres": (3.0, 6.0)}
exposures = {}
for photons in (100.0, 20.0, 5.0):
    settings = look | {"photons": (photons,)}
    pair = nb.simulate.make("pairs", count=1, seed=3, settings=settings)[0]
    exposures[f"{photons:.0f} photons"] = pair.image
nb.show.images(exposures)

# %% tags=["exercise"]
question = "A pixel expects 20 photons. By how many per cent is it off, typically?"
nb.widgets.guess(question, 100 * np.sqrt(20) / 20, unit="%")

# %% [markdown]
# We work with 20 photons. These images are simulated, so each has a clean partner, the
# image that endless light would give. **The network never sees it**; we need it for the
# scores.

# %%
pairs = nb.simulate.make("pairs", count=16, seed=0, settings=look)
train, val, test = pairs.split(val=0.15, test=0.25, seed=0)
sample = test[0]
print(
    f"{len(train)} images for training, {len(val)} for validation, {len(test)} to test."
)
nb.show.restored(sample.image, clean=sample.clean)

# %% [markdown]
# ## 2. The blind spot
# A network that gets a noisy image and has to predict the same image learns one thing:
# to copy. So we **hide** some pixels, put another value in their place, and let the
# network predict what was there. From the surroundings it can predict the *structure*
# at that pixel. It cannot predict the *noise*, because the noise of one pixel is
# independent of that of the next. So the best prediction is the image without noise.
#
# **Exercise.** Guess before you run the cell: two per cent of 48 x 48 pixels are
# hidden. How many are that?
#
# <details><summary>Solution</summary>
#
# 0.02 · 48 · 48 = 46 are asked for; 48 were drawn, in the third picture.
# </details>

# %%
patch = sample.image.pixels[60:108, 60:108, None].astype("float32")
spots = nb.targets.blindspot.BlindSpotMask(percent=2.0, radius=5)
rng = np.random.default_rng(0)
masked, hidden = nb.targets.blindspot.mask_pixels(rng, patch, spots=spots)
views = {"noisy: the target": patch, "input of the network": masked}
nb.show.images(views | {"hidden pixels": hidden.astype("uint8")})

# %% [markdown]
# The two left images look alike: a hidden pixel holds the value of a random neighbour.
# The loss counts hidden pixels only, or else copying would be rewarded. (The default
# below is N2V2: it inserts the *median* of the surroundings, and its network avoids
# checkerboards; see 6.)
#
# ## 3. Train
# Training needs nothing but the noisy images. The loss cannot fall to zero: what
# remains is the noise itself, which cannot be predicted.

# %%
budget = {"epochs": 8, "steps_per_epoch": 50, "batch_size": 8}
models = {
    "non-local means": nb.methods.load("nlm"),
    "N2V2": nb.methods.get("n2v")(**budget),
}
nb.show.training(models["N2V2"].fit(train, val))

# %% [markdown]
# **Exercise.** The loss stays far above zero. Why? Choose: "The network is too small",
# "The target is noisy" or "It was trained too briefly".
#
# <details><summary>Solution</summary>
#
# "The target is noisy". Nobody can predict the noise of a hidden pixel.
# </details>
#
# ## 4. Is it better, and by how much?
# We compare it with *non-local means*, a classical method that averages patches which
# look alike: no learning, seconds. A network that is not better is not worth the
# effort. **PSNR** in dB: 6 more is half the error. **SSIM**: 1 is the same structure.

# %%
restored = {}
for name, model in models.items():
    restored[name] = model.predict(sample.image)

# %% tags=["exercise"]
off = {}
for name, one in restored.items():
    off[name] = nb.metrics.restoration.rmse(one.image, sample.clean)
question = "Which has the smaller error?"
nb.widgets.guess(question, min(off, key=off.get), choices=list(off))

# %%
nb.show.restored(sample.image, restored, clean=sample.clean)

# %%
nb.show.error_maps({"noisy": sample.image} | restored, sample.clean)

# %% [markdown]
# Where are the errors of the network? At edges and in bright spots: details that cannot
# be predicted from their surroundings are smoothed away. **Drag the line** in the
# picture below, and look for a chromocentre that has become dimmer.
#
# With images of your own there is no clean partner. Then look at what was *removed*
# (`nb.show.restored(noisy, restored)`): it must look like noise, and show no nuclei.

# %%
nb.widgets.compare_slider(sample.image, restored["N2V2"])

# %% [markdown]
# ## 5. Knowing the noise, knowing the blur
# Two more methods start from a blind spot and add knowledge:
# - **PN2V** knows how bright a noisy pixel may be for each true value (a *noise model*,
#   here estimated by a first network). So it can also use the noisy pixel itself, which
#   the blind spot hides.
# - **DecoNoising** knows the blur of the microscope: the network predicts a sharp
#   image, which is blurred before it is compared.

# %%
models["PN2V"] = nb.methods.get("pn2v")(**budget)
models["DecoNoising"] = nb.methods.get("deconoising")(**budget)
models["N2V"] = nb.methods.get("n2v")(variant="n2v", **budget)
for name in ("PN2V", "DecoNoising", "N2V"):
    models[name].fit(train, val)

# %%
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
# What the papers found, on a real recording of *Convallaria* (PSNR, the range being
# that of the clean image; published notebooks of the authors): noisy 28.98, N2V 35.95,
# DecoNoising 36.23, PN2V 36.60, CARE (which learns from clean partners, lesson 07)
# 36.69 dB. On the photographs of BSD68 with noise of σ = 25 (range 255): N2V 27.7, N2V2
# 28.3 dB. So **the first step, from noisy to any network, is large, and those between
# methods are small**: is that what you see above? We train for minutes on a dozen
# images, the authors for hours, and with so few test images most intervals overlap.
#
# Ours, trained for longer: 600 steps of 8 patches for each method, eight rotated and
# mirrored views averaged (`tta=flips_and_rot90`), 8 test images, PSNR in dB with the
# range of the clean image (`python benchmarks/restoration.py`; one seed):
#
# | brightest pixels | noisy | non-local means | N2V | N2V2 | DecoNoising | PN2V | CARE |
# | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
# | 5 photons | 9.0 | 29.2 | 31.1 | 31.6 | 31.3 | 31.7 | 32.1 |
# | 20 photons | 19.7 | 36.2 | 37.4 | 38.2 | 37.6 | 38.0 | 39.4 |
# | 100 photons | 29.9 | 43.2 | 43.4 | 44.3 | 44.0 | 43.4 | 46.0 |
#
# Every network is better than non-local means, by 2 to 3 dB where there is hardly any
# light; where there is much of it, N2V and PN2V by no more than chance. The published
# order CARE, PN2V, N2V2, N2V holds at 5 photons only: above, PN2V falls behind N2V2 (by
# 0.2 dB, then by almost 1 dB). Why? PN2V gains by using the noisy pixel, and here that
# pixel adds nothing: with it and without it the result is the same to 0.01 dB (measured
# at 5 photons), because in these smooth, simulated scenes the neighbours determine the
# value far better than one noisy reading. What remains is that its network learns a
# whole distribution per pixel from as many steps as N2V2 has for one value. The
# recordings of the papers have finer structures than these scenes; there the pixel
# itself adds more.
#
# **In volumes** plain N2V is the default: N2V2 learned less there in as many steps
# (41.3 and 44.0 dB at 100 photons), since all fine structure must pass through its
# coarser levels. More on N2V in volumes is in lesson 07, part 5.
#
# ## 6. The checkerboard
# Plain N2V replaces a hidden pixel by one neighbour, and its network may learn to
# recognise values that do not fit: a fine checkerboard can remain. Look at the enlarged
# part, N2V beside N2V2.

# %%
restored["N2V"] = models["N2V"].predict(sample.image)
both = {"N2V": restored["N2V"], "N2V2": restored["N2V2"]}
nb.show.restored(sample.image, both, clean=sample.clean)

# %% [markdown]
# **Exercise.** What does N2V2 put into a hidden pixel, so that no checkerboard remains?
# Choose: "a random neighbour", "the median of the surroundings" or "zero".
#
# <details><summary>Solution</summary>
#
# "the median of the surroundings". It fits, so there is nothing to recognise.
# </details>
#
# ## 7. Break it: noise that neighbours share
# Some cameras, and every scanned or compressed image, have noise that is similar in
# neighbouring pixels. **Before you run the next cells: what will a blind spot do with
# it?**
#
# **Exercise.** Before you go on: will a blind spot remove this noise, keep it, or make
# it worse?
#
# <details><summary>Solution</summary>
#
# Keep it: neighbours tell the noise of a hidden pixel, so that the network predicts it.
# </details>

# %%
settings = look | {"structured": 3.0}
striped = nb.simulate.make("pairs", count=8, seed=1, settings=settings)
noisy = striped[0].image
print(nb.metrics.noise.judge_noise(noisy))
nb.show.correlations({"one pixel, one noise": sample.image, "striped": noisy})

# %%
models["struct"] = nb.methods.get("n2v")(variant="struct", line_axis="X", **budget)
models["struct"].fit(striped)
destriped = {}
for name in ("N2V2", "struct"):
    destriped[name] = models[name].predict(noisy)
nb.show.restored(noisy, destriped, clean=striped[0].clean)

# %% [markdown]
# A stripe *can* be predicted from its neighbours, so the network takes it for structure
# and keeps it; trained on striped images, it would keep even more. The remedy hides all
# pixels of the line that share their noise (`variant="struct"`).
# `nbtools check FOLDER --for n2v` warns you beforehand.
#
# ## 8. Break it: too much light
# A saturated pixel can count no more light. No denoiser can know the true value; it
# does not even notice.
#
# **Exercise.** Guess before you run the cell: which grey values of the image are lost
# if the camera saturates at 125?
#
# <details><summary>Solution</summary>
#
# All above 125: the network cannot know how bright those pixels were, and the map of
# errors shows where they are.
# </details>

# %%
full = sample.image.replace(pixels=np.minimum(sample.image.pixels, 125))
denoised = {"denoised": restored["N2V2"]}
denoised["denoised, saturated at 125"] = models["N2V2"].predict(full)
nb.show.error_maps(denoised, sample.clean)

# %% [markdown]
# Blue is light that was lost, and it is lost where nuclei are brightest: exactly what
# you want to measure. **No restored image is better than the exposure**: look at the
# histogram at the microscope.
#
# ## You now have
# five ways to denoise without clean images, each with a score beside the classical
# method and the noisy image; and three ways in which they fail.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Why does the loss of N2V stay high, though the images become
# good?</summary>
#
# The prediction is compared with *noisy* pixels. Even the perfect prediction differs
# from them by the noise. That is also why the loss is a poor guide to the best weights,
# and why the last ones are kept here.
# </details>
#
# <details><summary>2. You denoise, then measure the total intensity of each nucleus. Is
# that allowed?</summary>
#
# With care. A network moves light: spots become dimmer, their surroundings brighter, so
# textures and maxima change, and sums may. Measure on the raw image whatever you can,
# and use the denoised one to *find* the nuclei.
# </details>
#
# <details><summary>3. Your images are JPEGs, or were enlarged to twice their size. What
# will N2V do?</summary>
#
# It will keep much of the noise: both make neighbours share it. Go back to the raw
# files. If there are none, train with clean partners (lesson 07).
# </details>
#
# **Where next:** your own images: `workbench_denoise`. With clean partners: lesson 07.
# Noisy images, and labels for a few of them: `nbtools train denoiseg DATA --out MODEL`
# denoises and segments with one network, `voidseg` denoises first; images without
# labels teach both. The authors found a gain with few labels and noise, none with many;
# what we found is in lesson 14.
