# %% [markdown]
# # 08 · Denoise without clean images
#
# **You will be able to** remove noise from images of which you have no clean copy, tell
# when that must fail, and put a number on what you gained.
#
# Some minutes a network on two processor cores. Papers: Noise2Void (Krull et al. 2019,
# doi:10.1109/CVPR.2019.00223), N2V2 (Höck et al. 2022, arXiv:2211.08512), PN2V (Krull
# et al. 2020, doi:10.3389/fcomp.2020.00005), DecoNoising (Goncharova et al. 2020,
# doi:10.48550/arXiv.2008.08414), structured noise (Broaddus et al. 2020,
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
# **At which would you stop counting?** Light bleaches and harms cells, so the dark
# image is often the one you have.

# %%
look = {"shape_px": (192, 192), "radius_um": (4.0, 7.0), "chromocentres": (3.0, 6.0)}
exposures = [
    nb.simulate.make("pairs", count=1, seed=3, settings=look | {"photons": (peak,)})[0]
    for peak in (100.0, 20.0, 5.0)
]
nb.show.images(
    [
        s.image.replace(name=f"{peak} photons")
        for s, peak in zip(exposures, (100, 20, 5), strict=True)
    ]
)

# %% [markdown]
# We work with 20 photons. These images are simulated, so each has a clean partner, the
# image that endless light would give. **The network will never see it**; we keep it to
# judge.

# %%
train, val, test = nb.simulate.make("pairs", count=16, seed=0, settings=look).split(
    val=0.15, test=0.25, seed=0
)
sample = test[0]
print(f"{len(train)} images to learn from, {len(val)} to watch, {len(test)} to judge.")
nb.show.restored(sample.image, clean=sample.clean)

# %% [markdown]
# ## 2. The blind spot
# A network that is shown a noisy image and asked for the same image learns one thing:
# to copy. So we **hide** some pixels, put another value in their place, and ask for
# what was there. From its surroundings the network can guess the *structure* at that
# pixel. The *noise* in it nobody can guess, because noise of one pixel says nothing of
# the next. So the best guess is the image without noise.

# %%
patch = sample.image.pixels[60:108, 60:108, None].astype("float32")
spots = nb.targets.blindspot.BlindSpotMask(percent=2.0, radius=5)
hidden, asked = nb.targets.blindspot.mask_pixels(
    np.random.default_rng(0), patch, spots=spots
)
views = {
    "noisy: what is asked for": patch[..., 0],
    "shown to the network": hidden[..., 0],
    "the hidden pixels": asked.astype("uint8"),
}
nb.show.images(
    [nb.image.Image(pixels, "YX", name=name) for name, pixels in views.items()]
)

# %% [markdown]
# The two left images look alike: a hidden pixel holds the value of a random neighbour.
# Only at hidden pixels is the answer counted, else copying would pay. (The default
# below is N2V2: the *median* of the surroundings, and a network that cannot draw a
# checkerboard; see 6.)
#
# ## 3. Train
# Nothing but the noisy images. The loss cannot fall to zero: what remains is the noise
# itself, which cannot be guessed.

# %%
budget = {"epochs": 8, "steps_per_epoch": 50, "batch_size": 8}
models = {
    "non-local means": nb.methods.load("nlm"),
    "N2V2": nb.methods.get("n2v")(**budget),
}
nb.show.training(models["N2V2"].fit(train, val))

# %% [markdown]
# ## 4. Is it better, and by how much?
# Beside it *non-local means*, a classical method that averages patches which look
# alike: no learning, seconds. A network that does not beat it is not worth its trouble.
# **PSNR** in dB: 6 more is half the error. **SSIM**: 1 is the same structure.

# %%
found = {name: model.predict(sample.image) for name, model in models.items()}
nb.show.restored(sample.image, found, clean=sample.clean)

# %%
nb.show.error_maps({"noisy": sample.image} | found, sample.clean)

# %% [markdown]
# Where are the errors of the network? At edges and in bright spots: what is finer than
# its surroundings say, it smooths away. **Pull the line** below the picture, and look
# for a chromocentre that has become dimmer.
#
# With images of your own there is no clean partner. Then look at what was *taken away*
# (`nb.show.restored(noisy, restored)`): it must look like noise, and show no nuclei.

# %%
nb.widgets.compare_slider(sample.image, found["N2V2"])

# %% [markdown]
# ## 5. Knowing the noise, knowing the blur
# Two more methods begin with a blind spot and add knowledge:
# - **PN2V** is told how bright a noisy pixel may be for each true value (a *noise
#   model*, here made from the N2V2 result itself). So it can look at the noisy pixel
#   too, which the blind spot hides.
# - **DecoNoising** is told the blur of the microscope: the network draws a sharp image,
#   which is blurred before it is compared.

# %%
models |= {
    "PN2V": nb.methods.get("pn2v")(**budget),
    "DecoNoising": nb.methods.get("deconoising")(**budget),
}
models |= {"N2V": nb.methods.get("n2v")(variant="n2v", **budget)}
histories = [models[name].fit(train, val) for name in ("PN2V", "DecoNoising", "N2V")]

# %%
judge = nb.metrics.restoration.evaluate
results = {
    name: judge((s.name, s.clean, model.predict(s.image).image, s.image) for s in test)
    for name, model in models.items()
}
nb.show.denoisers(results)

# %% [markdown]
# What the papers found, on a real recording of *Convallaria* (PSNR, the range being
# that of the clean image; published notebooks of the authors): noisy 28.98, N2V 35.95,
# DecoNoising 36.23, PN2V 36.60, CARE (which learns from clean partners, lesson 07)
# 36.69 dB. On the photographs of BSD68 with noise of σ = 25 (range 255): N2V 27.7, N2V2
# 28.3 dB. So **the first step, from noisy to any network, is large, and those between
# methods are small**: is that what you see above? Minutes of training on a dozen images
# are not the authors' hours, and with so few test images the intervals overlap.
#
# Ours, longer: 600 steps of 8 patches for each method, eight turned views averaged
# (`turns=plane`), 8 test images, PSNR in dB with the range of the clean image
# (`python benchmarks/restoration.py`; one seed):
#
# | brightest pixels | noisy | non-local means | N2V | N2V2 | DecoNoising | PN2V | CARE |
# | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
# | 5 photons | 9.0 | 29.2 | 31.1 | 31.6 | 31.3 | 31.7 | 32.1 |
# | 20 photons | 19.7 | 36.2 | 37.4 | 38.2 | 37.6 | 38.0 | 39.4 |
# | 100 photons | 29.9 | 43.2 | 43.4 | 44.3 | 44.0 | 43.4 | 46.0 |
#
# Every network beats non-local means, by 2 dB where there is hardly any light, and N2V
# and PN2V by no more than chance where there is much of it. The published order CARE,
# PN2V, N2V2, N2V holds at 5 photons only: above, PN2V falls behind N2V2 (by 0.2 dB,
# then by 0.8). Why? PN2V gains by looking at the noisy pixel, and here that pixel has
# nothing to say: with it and without it the result is the same to 0.01 dB (measured at
# 5 photons), because neighbours in these smooth, simulated scenes tell the value far
# better than one noisy reading. What remains is that its network learns a whole
# distribution a pixel from as many steps as N2V2 has for one value. The papers'
# recordings have finer structures than these scenes; there the pixel itself has more to
# say.
#
# **In volumes** plain N2V is the default: N2V2 learned less there in as many steps
# (41.3 and 44.0 dB at 100 photons), since all it says of fine structure must pass
# through its coarser levels. More of N2V in volumes stands in lesson 07, part 5.
#
# ## 6. The checkerboard
# Plain N2V replaces a hidden pixel by one neighbour, and its network may learn to spot
# what does not fit: a fine checkerboard can remain. Look at the enlarged part, N2V
# beside N2V2.

# %%
nb.show.restored(
    sample.image,
    {name: models[name].predict(sample.image) for name in ("N2V", "N2V2")},
    clean=sample.clean,
)

# %% [markdown]
# ## 7. Break it: noise that neighbours share
# Some cameras, and every scanned or compressed image, have noise that is alike in
# neighbouring pixels. **Before you run the next cells: what will a blind spot do with
# it?**

# %%
striped = nb.simulate.make(
    "pairs", count=8, seed=1, settings=look | {"structured": 3.0}
)
print(nb.metrics.noise.judge_noise(striped[0].image))
nb.show.correlations(
    {"one pixel, one noise": sample.image, "striped": striped[0].image}
)

# %%
models["struct"] = nb.methods.get("n2v")(variant="struct", line_axis="X", **budget)
models["struct"].fit(striped)
lined = {name: models[name].predict(striped[0].image) for name in ("N2V2", "struct")}
nb.show.restored(striped[0].image, lined, clean=striped[0].clean)

# %% [markdown]
# A stripe *can* be guessed from its neighbours, so the network takes it for structure
# and keeps it; trained on striped images, it would keep even more. The remedy hides the
# whole line along which noise is shared (`variant="struct"`).
# `nbtools check FOLDER --for n2v` warns you beforehand.
#
# ## 8. Break it: too much light
# A camera that is full counts no further. No denoiser knows what was above; it does not
# even notice.

# %%
full = sample.image.replace(pixels=np.minimum(sample.image.pixels, 125))
nb.show.error_maps(
    {
        "denoised": found["N2V2"],
        "denoised, camera full at 125": models["N2V2"].predict(full),
    },
    sample.clean,
)

# %% [markdown]
# Blue is light that was lost, and it is lost where nuclei are brightest: exactly what
# you would measure. **No restored image is better than the exposure**: look at the
# histogram at the microscope.
#
# ## You now have
# five ways to denoise without clean images, each with a number beside the classical
# method and the image as it came; and three ways in which it fails.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Why does the loss of N2V stay high, though the images become
# good?</summary>
#
# It is compared with *noisy* pixels. Even the perfect answer misses them by the noise.
# That is also why the loss is a poor guide to the best weights, and why the last ones
# are kept here.
# </details>
#
# <details><summary>2. You denoise, then measure the total intensity of each nucleus. Is
# that allowed?</summary>
#
# With care. A network moves light: spots become dimmer, their surroundings brighter, so
# textures and maxima change, and sums may. Measure on the raw image what can be
# measured there, and use the denoised one to *find* the nuclei.
# </details>
#
# <details><summary>3. Your images are JPEGs, or were enlarged to twice their size. What
# will N2V do?</summary>
#
# Nothing good: both make neighbours share their noise. Go back to the raw files. If
# there are none, train with clean partners (lesson 07).
# </details>
#
# **Where next:** your own images: `workbench_denoise`. With clean partners: lesson 07.
