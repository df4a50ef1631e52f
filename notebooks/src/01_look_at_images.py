# %% [markdown]
# # 01 · Look at images
#
# **You will be able to** say of any image which axes, pixel size and grey values it
# has, see noise and lost brightness before they spoil your numbers, look at volumes
# from every side, and tell how much of the third dimension is really there.
#
# 15 minutes on any computer; no graphics card, no network, nothing is trained. On noise
# and sampling: Pawley 2006, doi:10.1007/978-0-387-45524-2; on what may be done with
# pictures: Cromey 2010, doi:10.1007/s11948-010-9201-y.

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

# %% [markdown]
# ## 1. An image is numbers, and four facts about them
# A camera counts light: one number a pixel. Everything a network or a measurement knows
# is in these numbers, and in four facts beside them: what the **axes** mean, how far
# **pixels lie apart**, which **grey values** are possible, and what was **done
# before**.

# %%
sample = nb.data.samples("nuclei2d")[0]
print(sample.image)
sample.image.pixels[100:106, 200:212]

# %% [markdown]
# Rows are Y, columns are X. The pixel size is unknown here: nobody wrote it into the
# file, so no program can tell you a size in µm. *uint16* says that grey values from 0
# to 65,535 are possible. **Guess**: how many of them does this image use?

# %%
nb.show.histogram({"a real image": sample.image})

# %% [markdown]
# Its file has 16 bit, its contents have 8: somebody converted it once. The high hill on
# the left is the background, the long slope are nuclei. The scale is logarithmic, or
# you would see nothing but the background.
#
# ## 2. Break it: light that is lost
# The same scene four times: recorded well with a 12-bit camera; with three times too
# much light; the good one divided by 16 and saved with 8 bit; the good one saved with
# 8 bit *without* dividing, as many programs do. **Guess** which two can still be
# measured.

# %%
light = {"shape_px": (128, 128), "photons": (500.0,)}
good, over = (
    nb.simulate.make("pairs", count=1, seed=4, settings=light | {"saturation": s})[
        0
    ].image
    for s in (1.0, 0.3)
)
scaled = good.replace(pixels=good.pixels / 16).cast("uint8")
cases = {
    "recorded well": good,
    "too much light": over,
    "8 bit, divided": scaled,
    "8 bit, cut off": good.cast("uint8"),
}
nb.show.images([image.replace(name=name) for name, image in cases.items()])

# %%
nb.show.histogram(cases)

# %% [markdown]
# Pixels that pile up at the largest value have *saturated*: how bright they were is
# gone, and no software brings it back. The picture alone does not say so, since every
# picture is shown with a contrast of its own; the histogram does, and so does
# `nbtools check`. Dividing first costs fine steps, which rarely matter; cutting off
# costs the nuclei. **Never convert for analysis. Convert for a slide.**
#
# ## 3. Noise
# Light comes in photons, and photons come by chance: a pixel that expects 100 of them
# counts 90 or 110, one that expects 4 counts 2 or 6. Here one scene is recorded sixteen
# times with very little light; the last picture is what an endless exposure would give.

# %%
frames = nb.simulate.make(
    "pairs",
    count=1,
    seed=4,
    settings={"shape_px": (128, 128), "photons": (20.0,), "frames": 16},
)
stack, clean = np.stack([frame.image.pixels for frame in frames]), frames[0].clean
means = {
    n: clean.replace(pixels=stack[:n].mean(axis=0), name=f"mean of {n}")
    for n in (1, 4, 16)
}
nb.show.images([*means.values(), clean.replace(name="without noise")])

# %%
errors = [nb.metrics.restoration.rmse(image, clean) for image in means.values()]
nb.show.table({"exposures": list(means), "typical error, grey values": errors})

# %% [markdown]
# Four times the light halves the error. That is the law of noise, and its price:
# sixteen times the light for a quarter of it, paid in bleaching and in time. Lessons 07
# and 08 show what networks can do instead, and what they invent.
#
# ## 4. A volume from every side
# A z-stack has a third axis, and its planes lie farther apart than its pixels: here
# 1 µm against 0.4 µm. Move the sliders. Large picture: as the microscope sees it; on
# the right and below: the volume cut open. Outlines are the true labels.

# %%
volume = nb.data.samples("simulated3d")[0]
viewer = nb.widgets.orthogonal(volume.image, volume.label)
viewer

# %%
print(volume.image, viewer.words, sep="\n")
nb.show.slices(volume.image, volume.label, at=viewer.value)

# %% [markdown]
# **Break it: two letters exchanged.** A file does not know which axis is z; somebody
# says so. Below the same numbers are read as Y, X, Z in place of Z, Y, X. Nothing
# crashes. A network would train on this for hours. **Which single look gives it away?**

# %%
nb.show.slices(volume.image.replace(axes="YXZ", spacing=(0.4, 0.4, 1.0)))

# %% [markdown]
# Whole volumes fit on a page in three ways. A *projection* keeps the brightest or the
# mean value along an axis, and forgets where it was; colour can keep the depth. A *view
# through the volume* keeps the depth by letting near things hide far ones. Count the
# nuclei in the first picture, then compare with the number of labels: **what did the
# projection hide?**

# %%
print(f"{volume.label.pixels.max()} nuclei")
nb.show.projections(volume.image)

# %%
nb.widgets.turntable(volume.image, volume.label)

# %% [markdown]
# ## 5. Break it: the pixel size
# The labels of this volume are exact, so their sizes are. Now we forget that planes lie
# 1 µm apart; or we take the camera's pixel, 6.4 µm, for that of the image, and forget
# that the objective magnified it 16 times. **Guess** the factors before you run it.

# %%
sizes = {
    "true": (1.0, 0.4, 0.4),
    "z as x and y": (0.4, 0.4, 0.4),
    "x and y of the camera": (1.0, 6.4, 6.4),
}
medians = [
    np.median(nb.measure.measure(volume.label.replace(spacing=s))["volume_um3"])
    for s in sizes.values()
]
nb.show.table(
    {
        "pixel size": list(sizes),
        "median volume, µm³": medians,
        "times the true one": [m / medians[0] for m in medians],
    }
)

# %% [markdown]
# An error of 2.5 in one axis is one of 2.5 in every volume; an error in x and y counts
# twice, 16 times 16. Shapes suffer too: lesson 17.
#
# ## 6. What resolution in z means
# Distance between planes is *sampling*. *Resolution* is how much the microscope blurs,
# and along z it blurs two to four times more than in the plane. Here are eight perfect
# balls of 2 µm, with planes every 0.25 µm, as fine as the pixels. **Guess**: is their
# image round in the lower picture? (The outlines are what a threshold finds.)

# %%
grids = {
    "fine planes": {},
    "coarse planes": {"shape_px": (11, 64, 64), "spacing_um": (1.0, 0.25, 0.25)},
}
balls = {
    name: nb.simulate.make("beads", count=1, seed=2, settings=grid)[0]
    for name, grid in grids.items()
}
seen = {
    name: nb.methods.load("otsu").predict(ball.image).labels
    for name, ball in balls.items()
}
nb.show.slices(balls["fine planes"].image, seen["fine planes"])

# %%
rows = {"true": balls["fine planes"].label} | seen
tables = [nb.measure.measure(label) for label in rows.values()]
columns = {
    name: [np.median(table[name]) for table in tables]
    for name in ("volume_um3", "elongation")
}
nb.show.table({"labels": list(rows)} | columns)

# %% [markdown]
# Balls became eggs of three times the volume that all stand upright: **the microscope's
# blur, not biology**. Finer planes make a smoother picture of the same blur, not a
# sharper one; coarse planes add their own error. So trust shapes along z only in nuclei
# much larger than the blur, compare like with like (same microscope, same depth), and
# ask a few beads what your microscope does.
#
# ## You now have
# Four questions to any image before any method: *which axes, which pixel size, which
# grey values, what was done before?* On the command line `nbtools check FOLDER` asks
# them for a whole set; `--axes` and `--spacing` say what a file forgot.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Two images look equally bright on the screen. Are they?</summary>
#
# Nobody knows: each is shown with a contrast of its own. Compare grey values, and only
# of images recorded with the same settings.
# </details>
#
# <details><summary>2. You interpolate a stack from 11 to 41 planes. What have you
# gained?</summary>
#
# Cubic voxels, which some methods need, and no detail at all. Interpolation invents
# nothing and finds nothing.
# </details>
#
# <details><summary>3. A nucleus has 0.3 % saturated pixels, in its chromocentres. May
# you measure its volume? Its brightness?</summary>
#
# Its volume, yes: the border is far below the limit. Its mean brightness is a little
# too low, its brightest spots are all alike; do not compare chromocentres by
# brightness.
# </details>
#
# **Where next:** make a data set whose every image has been asked these questions:
# lesson 02. Label its nuclei: lesson 03.
