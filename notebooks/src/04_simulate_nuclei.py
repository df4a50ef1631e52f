# %% [markdown]
# # 04 · Simulate nuclei
#
# **You will be able to** make 2D and 3D images of nuclei whose labels are exact, vary
# images sensibly (*augmentation*), and see what each variation breaks.
#
# 10 minutes on any computer; no graphics card, no internet connection. After CytoPacq
# (Wiesner et al. 2019, doi:10.1093/bioinformatics/btz417), the simulator that the
# review recommends where labels are scarce.

# %% cellView="form" tags=["skip-execution"]
# @title Install (on Colab; elsewhere this does nothing) { display-mode: "form" }
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic(
        "pip", 'install "nbtools @ git+https://github.com/OWNER/REPOSITORY"'
    )

# %%
import nbtools as nb

# %% [markdown]
# ## 1. Phantom, optics, camera
# A simulated image is made step by step, as in a microscope. A *phantom*: bodies that
# do not overlap, with chromatin, bright chromocentres and dark nucleoli. *Optics*:
# blur, more along z than in the plane. A *camera*: photons are counted, so the image is
# noisy. The labels are exact, since we placed the nuclei ourselves.

# %%
samples = nb.simulate.make("nuclei2d", count=4, seed=1)
nb.show.pairs(samples, limit=4)

# %% [markdown]
# Each image has its own microscope: size, crowding, brightness and noise are drawn from
# ranges. You can fix each of them. Below, the same nuclei with many and with few
# photons. **Guess** before you run it: what is lost first, small nuclei or dim ones?

# %%
exposures = {}
for photons in (500.0, 50.0, 5.0):
    settings = {"photons": (photons,), "count": 25}
    field = nb.simulate.make("nuclei2d", count=1, seed=7, settings=settings)[0]
    exposures[f"{photons:.0f} photons"] = field.image
nb.show.images(exposures, columns=3)

# %% tags=["exercise"]
nuclei = len(nb.measure.measure(field.label)["label"])
nb.widgets.guess("How many nuclei are in each of the three pictures?", nuclei)

# %% [markdown]
# In 3D the distance between planes is larger than that between pixels, and blur is
# stronger along z. Both are in the image, and it knows its spacing in µm.

# %%
settings = {"shape_px": (20, 96, 96)}
volume = nb.simulate.make("nuclei3d", count=1, seed=3, settings=settings)[0]
print(volume.image)
nb.show.sample(volume)

# %% [markdown]
# ## 2. Is it real enough?
# Compare with a real image: what is missing? (Debris, uneven light, nuclei out of
# focus, dividing cells.) A network trained on simulations alone is only as good as the
# simulation resembles your images.

# %%
real = nb.data.samples("nuclei2d")[0]
pictures = {"real": real.image, "simulated": samples[0].image}
nb.show.images(pictures | {"simulated, too": samples[1].image}, columns=3)

# %% tags=["exercise"]
nb.widgets.ask(
    "Which of these is in the real image only?",
    {
        "blur": "Look at the borders of the simulated nuclei.",
        "noise": "Look at the background of the simulated images.",
        "dividing cells": "The small, bright, dense bodies: nobody has simulated them.",
    },
    right="dividing cells",
)

# %% [markdown]
# ## 3. Augmentation: one labelled image becomes many
# A rotated nucleus is still a nucleus. So each training patch is cut out, rotated,
# flipped, scaled and brightened at random: **image and label together** where the
# geometry changes, the image alone where grey values change. Check in every patch that
# the outline still fits.

# %%
standard = nb.augment.vary(real, "standard", count=4, size=128, seed=0)
nb.show.pairs(standard, limit=4)

# %% tags=["exercise"]
nb.widgets.ask(
    "Which of these variations must change the label as well?",
    {
        "rotation": "Pixels change their places: the outline must go with them.",
        "more noise": "Does a nucleus move when the camera is noisy?",
        "more brightness": "Does a nucleus move when the lamp is brighter?",
    },
    right="rotation",
)

# %% [markdown]
# ## 4. Break it: what each variation costs
# *Too strong*: noise and blur that your microscope never makes teach the network to
# expect them. Look for nuclei that you can no longer see but that are still labelled:
# the loss punishes the network for missing the invisible.

# %%
policy = nb.augment.AugmentationPolicy(noise=1.0, blur=6.0, share=1.0, gamma=1.0)
strong = nb.augment.vary(real, policy, count=4, size=128, seed=0)
nb.show.pairs(strong, limit=3)

# %% [markdown]
# *Wrong scale*: scaling by up to 4 makes nuclei of every size. That is good if your
# images have all magnifications; if not, the network loses what it could have learned:
# how large a nucleus is.

# %%
policy = nb.augment.AugmentationPolicy(scale=3.0)
scaled = nb.augment.vary(real, policy, count=12, size=128, seed=0)
nb.show.pairs(scaled, limit=3)

# %% [markdown]
# *Only the image*: the classic fault, found in real code. The image is flipped, its
# label is not. Nothing crashes, no number is out of range, and the network learns
# nonsense. Only a look at image *and* label reveals it: outlines lie on the dark
# background.

# %%
flipped = real.image.replace(pixels=real.image.pixels[:, ::-1])

# %% tags=["exercise"]
inside = real.label.pixels > 0
share = 100 * (inside & inside[:, ::-1]).sum() / inside.sum()
question = "Which share of the labelled pixels still lies on some nucleus?"
nb.widgets.guess(question, share, unit="%")

# %%
nb.show.overlay(flipped, real.label)

# %% [markdown]
# Every variation teaches the network "this does not matter". Each is wrong where it
# does matter:
#
# | variation | good where | what it breaks elsewhere |
# | --- | --- | --- |
# | `flip`, `rotate` | no direction is special | tissue with an up and a down; light that always comes from one side |
# | `scale`, `stretch` | magnification or shape vary | size and roundness, which may be your result (large nuclei, long nuclei) |
# | `gamma`, `gain`, `offset` | exposure varies | brightness that tells phases or classes apart |
# | `noise` | the camera is noisy | denoising: the network learns noise that your camera does not make |
# | `elastic` | shape varies: tissue that bends, cells that crawl | roundness and length, where shape is the result |
# | `paste` | labels are few, and neighbours vary: copies of nuclei in free places | density, and the order of a tissue |
# | `blur` | focus varies | texture, chromocentres, and the gap between touching nuclei |
#
# No augmentation can add a kind of nucleus that is not in your images. It multiplies
# views, not biology; and **augmented copies of a test image must never be in training**
# (lesson 02 shows how they are found).
#
# ## 5. A set to train on
# We write a folder with images, labels and the command that makes it again: the recipe
# is part of the data.

# %%
training_set = nb.simulate.make("nuclei2d", count=12, seed=11, settings={"bits": 8})
nb.data.write_dataset(training_set, "runs/04/simulated", overwrite=True)

# %% tags=["exercise"]
nuclei = 0
for sample in training_set:
    nuclei += len(nb.measure.measure(sample.label)["label"])
nb.widgets.guess("How many labelled nuclei do twelve images hold?", nuclei)

# %%
nb.show.findings(nb.checks.check("runs/04/simulated"))

# %%
print(training_set.meta["source"])

# %% [markdown]
# ## You now have
# `runs/04/simulated`: twelve images with exact labels in the layout of every other data
# set here. On the command line:
# `nbtools simulate nuclei3d --count 20 --seed 1 --out my_volumes`.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Simulated labels are exact. Can they be too exact?</summary>
#
# Yes. They contain nuclei that noise hides and borders that blur hides: no expert would
# draw them. A score against them is strict, and a network that has learned to find them
# may find nuclei in your images that are not there.
# </details>
#
# <details><summary>2. Your cells always lie upright (a plant root). Should you rotate
# patches by any angle?</summary>
#
# Orientation carries information there, and rotation throws it away. Flip left and
# right, rotate by a few degrees, not more.
# </details>
#
# <details><summary>3. Flipping is free. Why not flip a volume along z?</summary>
#
# If light comes from below, deeper planes are dimmer and more blurred. A flipped volume
# is one that your microscope never records. Where z looks the same from both sides,
# flip it.
# </details>
#
# **Where next:** train on what you made: `workbench_segment`; see what noise costs, and
# what networks can do about it: lesson 07. Where the simulation does not look like your
# images, a network can be taught to make it so; whether that helps, and what it may
# invent, is measured in lesson 15.
