# %% [markdown]
# # 01 · Look at images
#
# **You will be able to** say which axes, pixel size and grey values any image has,
# recognise noise and saturation before they spoil your measurements, look at volumes
# from every side, and judge how much of the third dimension is really there.
#
# 15 minutes on any computer; no graphics card, no internet connection, nothing is
# trained. On noise and sampling: Pawley 2006, doi:10.1007/978-0-387-45524-2; on what
# may be done with pictures: Cromey 2010, doi:10.1007/s11948-010-9201-y.

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
# A camera counts light: one number per pixel. Everything that a network or a
# measurement can use is in these numbers, and in four facts about them: what the
# **axes** mean, how far **pixels lie apart**, which **grey values** are possible, and
# what was **done before**.

# %%
sample = nb.data.samples("nuclei2d")[0]
print(sample.image)
sample.image.pixels[100:106, 200:212]

# %% [markdown]
# Rows are Y, columns are X. The pixel size is unknown here: it was not written into the
# file, so no program can tell you a size in µm. *uint16* says that grey values from 0
# to 65,535 are possible. **Guess**: how many of them does this image use?

# %% tags=["exercise"]
used = len(np.unique(sample.image.pixels))
nb.widgets.guess("How many different grey values are in this image?", used)

# %%
nb.show.histogram({"a real image": sample.image})

# %% [markdown]
# The file has 16 bit, but its grey values fit into 8: somebody has converted it. The
# high peak on the left is the background, the long slope are the nuclei. The scale is
# logarithmic, or you would see nothing but the background.
#
# ## 2. Break it: light that is lost
# The same scene four times: recorded well with a 12-bit camera; with about three times
# too much light; the good one divided by 16 and saved with 8 bit; the good one saved
# with 8 bit *without* dividing, as many programs do. **Guess** which two can still be
# measured.
#
# **Exercise.** Guess before you run the cell: which two of the four pictures can still
# be measured?
#
# <details><summary>Solution</summary>
#
# The first and the third, recorded well and 8 bit divided: the histogram of the others
# piles up at the right end, and what is above it is lost.
# </details>

# %%
light = {"shape_px": (128, 128), "photons": (500.0,)}
recorded = []
for saturation in (1.0, 0.3):
    settings = light | {"saturation": saturation}
    pair = nb.simulate.make("pairs", count=1, seed=4, settings=settings)[0]
    recorded.append(pair.image)
good, bright = recorded
cases = {
    "recorded well": good,
    "too much light": bright,
    "8 bit, divided": good.replace(pixels=good.pixels / 16).cast("uint8"),
    "8 bit, cut off": good.cast("uint8"),
}
nb.show.images(cases)
nb.show.histogram(cases)

# %% [markdown]
# Pixels that pile up at the largest value are *saturated*: how bright they were is
# lost, and no software brings it back. The picture alone does not show it, since every
# picture has its own contrast; the histogram does, and so does `nbtools check`.
# Dividing first costs fine steps, which rarely matter; cutting off costs the brightness
# of the nuclei. **Never convert for analysis. Convert for a slide.**
#
# ## 3. Noise
# Light comes in photons, and photons come by chance: a pixel that expects 100 of them
# counts 90 or 110, one that expects 4 counts 2 or 6. Here one scene is recorded sixteen
# times with little light; the last picture is what an endless exposure would give.

# %%
light = {"shape_px": (128, 128), "photons": (20.0,), "frames": 16}
frames = nb.simulate.make("pairs", count=1, seed=4, settings=light)
stack = np.stack([frame.image.pixels for frame in frames])
clean = frames[0].clean
means = {}
for count in (1, 4, 16):
    mean = stack[:count].mean(axis=0)
    means[f"mean of {count}"] = clean.replace(pixels=mean)
nb.show.images(means | {"without noise": clean})

# %%
rows = []
for name, image in means.items():
    error = nb.metrics.restoration.rmse(image, clean)
    rows.append({"exposures": name, "typical error, grey values": error})

# %% tags=["exercise"]
errors = [row["typical error, grey values"] for row in rows]
question = f"One exposure is off by {errors[0]:.0f} grey values. The mean of sixteen?"
nb.widgets.guess(question, errors[2], unit="grey values")

# %%
nb.show.table(rows)

# %% [markdown]
# Four times the light halves the error. That is the law of noise, and its price: a
# quarter of the error takes sixteen times the light, paid in bleaching and in time.
# Lessons 07 and 08 show what networks can do instead, and what they invent.
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
print(volume.image, viewer.place_text, sep="\n")
nb.show.slices(volume.image, volume.label, at=viewer.value)

# %% [markdown]
# **Break it: two letters exchanged.** The numbers do not show which axis is z; the file
# or a person must say so. Below, the same numbers are read as Y, X, Z in place of Z, Y,
# X. Nothing crashes. A network would train on this for hours. **Which of the pictures
# reveals it?**

# %%
nb.show.slices(volume.image.replace(axes="YXZ", spacing=(0.4, 0.4, 1.0)))

# %% [markdown]
# Whole volumes fit on a page in three ways. A *projection* keeps the brightest or the
# mean value along an axis, but not where it was; colour can show the depth. A *view
# through the volume* shows the depth because near nuclei hide far ones. Count the
# nuclei in the first picture, then compare with the number of labels: **what did the
# projection hide?**

# %%
nb.show.projections(volume.image)

# %% [markdown]
# **Exercise.** How many nuclei do you count in the first of these projections? Turn the
# volume below, and count again.
#
# <details><summary>Solution</summary>
#
# In a projection, nuclei that lie behind each other are one. In the volume each has a
# label of its own: `len(np.unique(volume.label.pixels)) - 1` counts them.
# </details>

# %%
nb.widgets.turntable(volume.image, volume.label)

# %% [markdown]
# ## 5. Break it: the pixel size
# The labels of this volume are exact, and so are their sizes. Now we ignore that planes
# lie 1 µm apart; or we take the pixel of the camera, 6.4 µm, for that of the image, and
# ignore that the objective magnifies 16 times. **Guess** the factors before you run it.
#
# **Exercise.** Guess before you run the cell: with the pixel size of the camera, the
# volume is how many times the true one?
#
# <details><summary>Solution</summary>
#
# 6.4 / 0.4 = 16 along x and along y, so 256 times; the distance of the planes is right.
# </details>

# %%
sizes = {"true": (1.0, 0.4, 0.4), "z as x and y": (0.4, 0.4, 0.4)}
sizes["x and y of the camera"] = (1.0, 6.4, 6.4)
rows = []
for name, spacing in sizes.items():
    table = nb.measure.measure(volume.label.replace(spacing=spacing))
    median = np.median(table["volume_um3"])
    rows.append({"pixel size": name, "median volume, µm³": median})
    rows[-1]["times the true one"] = median / rows[0]["median volume, µm³"]
nb.show.table(rows)

# %% [markdown]
# A pixel size wrong by a factor of 2.5 along one axis makes every volume wrong by 2.5;
# one wrong in x and in y counts twice, 16 times 16. Shapes suffer too: lesson 17.
#
# ## 6. What resolution in z means
# The distance between planes is *sampling*. *Resolution* is limited by the blur of the
# microscope, and along z it blurs two to four times more than in the plane. Here are
# eight perfect balls of 2 µm, with planes every 0.25 µm, as fine as the pixels.
# **Guess**: is their image round in the lower picture? (The outlines are those of
# Otsu's threshold.)

# %%
otsu = nb.methods.load("otsu")
fine = nb.simulate.make("beads", count=1, seed=2)[0]
planes = {"shape_px": (11, 64, 64), "spacing_um": (1.0, 0.25, 0.25)}
coarse = nb.simulate.make("beads", count=1, seed=2, settings=planes)[0]
labels = {"true": fine.label}
labels["fine planes"] = otsu.predict(fine.image).labels
labels["coarse planes"] = otsu.predict(coarse.image).labels
nb.show.slices(fine.image, labels["fine planes"])

# %%
rows = []
for name, label in labels.items():
    table = nb.measure.measure(label)
    row = {"labels": name, "volume, µm³": np.median(table["volume_um3"])}
    rows.append(row | {"elongation": np.median(table["elongation"])})

# %% tags=["exercise"]
larger = rows[1]["volume, µm³"] / rows[0]["volume, µm³"]
question = "With fine planes, the measured volume is how many times the true one?"
nb.widgets.guess(question, larger, unit="times")

# %%
nb.show.table(rows)

# %% [markdown]
# Balls have become eggs of about three times the volume that all stand upright: **the
# blur of the microscope, not biology**. Finer planes make a smoother picture of the
# same blur, not a sharper one; coarse planes add their own error. So trust shapes along
# z only in nuclei much larger than the blur, compare like with like (same microscope,
# same depth), and measure the blur of your microscope with a few beads.
#
# ## You now have
# four questions for any image before any method: *which axes, which pixel size, which
# grey values, what was done before?* On the command line `nbtools check FOLDER` checks
# them for a whole set; `--axes` and `--spacing` supply what a file lacks.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Two images look equally bright on the screen. Are they?</summary>
#
# Nobody knows: each is shown with its own contrast. Compare grey values, and only of
# images recorded with the same settings.
# </details>
#
# <details><summary>2. You interpolate a stack from 11 to 41 planes. What have you
# gained?</summary>
#
# Cubic voxels, which some methods need, and no detail at all: interpolation adds no
# information.
# </details>
#
# <details><summary>3. A nucleus has 0.3 % saturated pixels, in its chromocentres. May
# you measure its volume? Its brightness?</summary>
#
# Its volume, yes: the border is far below the limit. Its measured mean brightness is a
# little too low, and its brightest spots all have the same value; do not compare
# chromocentres by brightness.
# </details>
#
# **Where next:** make a data set in which every image is checked: lesson 02. Label its
# nuclei: lesson 03.
