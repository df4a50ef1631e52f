# %% [markdown]
# # 12 · Points and boxes: find nuclei without outlining them
#
# **You will be able to** count nuclei and map their density from points, choose the
# distance within which a point counts as found, see what doubles and a wrong distance
# do to a score, and train three networks that find centres.
#
# 10 minutes on two processor cores; no graphics card. The review's section *Detection*.
# Papers: Tofighi et al. 2018, arXiv:1807.03135 (SP-CNN); Xing et al. 2019,
# doi:10.1109/TBME.2019.2900378 (KiNet); Valkonen et al. 2020,
# doi:10.1109/JBHI.2020.3039414 (NucleiDetection).

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

detection = nb.tasks.detection

# %% [markdown]
# ## 1. Three answers to "where are the nuclei?"
# A **mask** says of each pixel to which nucleus it belongs. A **box** says from where
# to where a nucleus reaches. A **point** says only that there is one. A point takes a
# second to draw and an outline half a minute; how many nuclei there are, where they are
# dense, and who is whose neighbour need no more than points. Here are simulated fields,
# and what the classical method makes of one: `blob_log` looks for bright blobs of the
# size of a nucleus (Lindeberg 1998). It learns nothing.

# %%
fields = {"shape_px": (192, 192), "density": (0.25,), "photons": (40.0, 300.0)}
images = nb.simulate.make("nuclei2d", count=16, seed=3, settings=fields)
train, val, test = images.split(val=0.2, test=0.25, seed=0)
blob_log = nb.methods.load("blob_log")
found = {"blob_log": [blob_log.predict(sample.image) for sample in test]}
truth = nb.results.Labels(test[0].label)

# %% tags=["exercise"]
nuclei = len(np.unique(test[0].label.pixels)) - 1
question = f"The first field has {nuclei} nuclei. How many blobs will be found in it?"
nb.widgets.guess(question, len(found["blob_log"][0].result), unit="blobs")

# %%
nb.show.points(test[0].image, {"truth": truth, "blob_log": found["blob_log"][0]})

# %% [markdown]
# ## 2. When is a point right?
# A found point and a true one **match** if they lie no farther apart than the *gate*,
# and each is used once. *Precision* is the share of found points that match, *recall*
# the share of nuclei that were found, F1 one number for both, *RMSE* how far matched
# points lie apart. The gate is a choice. **Guess:** what does a person score who looks
# away, and sets as many points at random?

# %%
rng, random = np.random.default_rng(0), []
for one in found["blob_log"]:
    places = rng.uniform(0, 192, (len(one.result), 2))
    random.append(nb.results.Points(places, one.result.grid))
both = {"blob_log": found["blob_log"], "at random": random}

# %% tags=["exercise"]
by_chance = detection.evaluate_each(test, both, gate_px=5)["at random"]
question = "Points at random, a gate of 5 px: the F1, 0 to 1?"
nb.widgets.guess(question, by_chance["f1"])

# %%
rows = []
for gate in (1, 2, 5, 10, 20, 40):
    scores = detection.evaluate_each(test, both, gate_px=gate)
    rows.append({"gate, px": gate} | {name: one["f1"] for name, one in scores.items()})
nb.show.table(rows)

# %% [markdown]
# **Break it.** With a gate as wide as the distance between nuclei, points at random
# score well; with a gate of a pixel, the small differences between two people decide.
# A gate says what you need: to count, half the diameter of a nucleus; to place a
# marker, less. Ours is 5 px by default, as in BIAFLOWS. `--gate-um` gives it in µm,
# which is the same nucleus in every microscope. **Report it with the score.**
#
# ## 3. Break it: doubles
# A detector that reports each nucleus twice misses no more of them than before. **Which
# of the numbers below tells?**
#
# **Exercise.** Each nucleus is reported twice. Which number hides it? Choose: "recall",
# "precision" or "the error of the count".
#
# <details><summary>Solution</summary>
#
# "recall". No nucleus that was found is lost, so recall does not fall.
# </details>

# %%
doubled = []
for one in found["blob_log"]:
    places = np.concatenate([one.result.coordinates, one.result.coordinates + 1.0])
    doubled.append(nb.results.Points(places, one.result.grid))
scores = detection.evaluate_each(test, {**found, "each twice": doubled})
nb.show.table(detection.make_rows(scores))

# %% [markdown]
# Recall does not fall, precision does, and the error of the count shows it most. That
# is why detectors leave out a point that lies too near a better one
# (`suppress_near`). Too far, and it removes a true neighbour: the same dilemma as the
# gate, and the reason why `min_distance` is chosen on validation images.
#
# ## 4. What a network learns: proximity
# A single pixel per nucleus is too rare to learn from. **SP-CNN** and **KiNet** learn
# how near the next centre is: 1 in the middle, 0 at a radius. **NucleiDetection**
# learns a small disc. **Which radius is too large?** Look where two nuclei touch.
#
# **Exercise.** At which radius do the maps of neighbours run together? Choose: "3 px",
# "7 px" or "25 px".
#
# <details><summary>Solution</summary>
#
# "25 px". Most pixels are above 0: the peaks are hills of one range.
# </details>

# %%
centres = nb.geometry.centroids(test[0].label.pixels)
shape, maps = test[0].label.pixels.shape, {}
for radius in (3, 7, 25):
    maps[f"radius {radius} px"] = nb.targets.proximity.encode(
        centres, shape=shape, radius=radius
    )
views = {}
for name, heat in maps.items():
    views[name] = test[0].image.replace(pixels=heat)
nb.show.images(views)

# %%
rows = []
for name, heat in maps.items():
    peaks, _ = nb.targets.peaks.find_peaks(heat, threshold=0.3)
    row = {"map": name, "true": len(centres), "peaks": len(peaks)}
    rows.append(row | {"pixels above 0, %": 100 * float((heat > 0).mean())})
nb.show.table(rows)

# %% [markdown]
# Each map gives its points back: a network without error could use any of them. A real
# one smooths what it learns, and where the maps of neighbours run together, their peaks
# merge first. A narrow peak in a large nucleus is hard to learn, for who knows its
# middle to a pixel? Ours take the diameter of each nucleus where labels tell it, else
# half the distance between neighbours (`radius`), and smooth the map before they look
# for peaks (`smoothing`, chosen on validation images).
#
# ## 5. Three networks
# **KiNet** is a U-Net whose coarse scales also reach the output by a path of their own;
# it has a map per class where the classes of nuclei are known. **SP-CNN** is a row of
# convolutions; in training, it is rewarded where the edges around what it found fit an
# outline of its library (the *shape prior*). **NucleiDetection** is the first half of
# VGG16. All learn from points; where there are labels, their centres are taken.

# %%
for name in ("kinet", "sp_cnn", "nuclei_detection"):
    model = nb.methods.get(name)(epochs=5, steps_per_epoch=60, patch_size=96)
    model.fit(train, val)
    found[name] = [model.predict(sample.image, raw=True) for sample in test]

# %%
views = {"image": test[0].image}
for name in ("kinet", "sp_cnn", "nuclei_detection"):
    heat = found[name][0].raw["maps"][..., 0]
    views[f"map of {name}"] = test[0].image.replace(pixels=heat)
nb.show.images(views)

# %% [markdown]
# And every method that segments is a detector, too: the centre of gravity of each label
# is its point (`nbtools predict nuclei2d IMAGES --task detection --out FOLDER`). So are
# StarDist and QCANet in the review's list of detectors. (The review says that QCANet
# detects bounding boxes. It does not: its detector predicts small regions at the
# centres, which become markers. Of NuSeT, which does use boxes, it says that it
# handles volumes: as published, it knows planes only, and takes a volume slice by
# slice.)

# %%
nuclei2d = nb.methods.load("nuclei2d")
found["nuclei2d, centres"] = [nuclei2d.predict(sample.image) for sample in test]
scores = detection.evaluate_each(test, found)

# %% tags=["exercise"]
best = max(scores, key=lambda name: scores[name]["f1"])
nb.widgets.guess("Which has the highest F1?", best, choices=list(scores))

# %%
nb.show.table(detection.make_rows(scores))

# %%
first = {name: results[0] for name, results in found.items()}
nb.show.points(test[0].image, first)

# %% [markdown]
# Look at the table before you believe the network: after a minute of training a
# detector may or may not beat blobs. Where it does not, use `blob_log`.
#
# On real images (the test images of the Data Science Bowl 2018, five minutes of
# training on one core, F1 within 5 px, `benchmarks/points.py`):
#
# | points of | F1 |
# | --- | ---: |
# | `nuclei2d`, centres | 0.94 |
# | `otsu`, centres | 0.89 |
# | `nuclei_detection` | 0.86 |
# | `kinet` | 0.85 |
# | `sp_cnn` | 0.84 |
# | `stardist`, centres | 0.78 |
# | `blob_log` | 0.75 |
#
# The shipped `nuclei2d` has learned from labels for hours, StarDist from labels in the
# five minutes, the three from points; `otsu` learns nothing. One seed each: the three
# score above StarDist and blobs, and none reaches the threshold. In fluorescence nuclei
# are brighter than all else, and their centres come for free. A detector of points is
# for images where outlines cannot be had, or labels are points.
#
# ## 6. From points to density
# Points spread by a Gaussian, divided by the area of a pixel: nuclei per mm². Its sum
# over the field is the count, whatever the width. Which width shows the clusters, and
# which only the nuclei?

# %%
from scipy import ndimage

result, widths = found["kinet"][0].result, {}
single = np.zeros(result.grid.shape)
np.add.at(single, tuple(np.rint(result.coordinates).astype(int).T), 1.0)
mm2 = float(np.prod(result.grid.spacing_um or (1.0, 1.0))) / 1e6
for width in (3, 12, 40):
    density = ndimage.gaussian_filter(single, width, mode="reflect") / mm2
    widths[f"{width} px, {density.sum() * mm2:.1f} nuclei"] = density
nb.show.images(widths)

# %% [markdown]
# **Exercise.** `mode="reflect"` folds back what would leave the field. Change it to
# `"constant"`, and run the cell again: what becomes of the sum of the widest map? (Then
# put `"reflect"` back.)
#
# <details><summary>Solution</summary>
#
# It falls by about a quarter: what the Gaussian carries across the border is lost, and
# near the border the density is too low. Check the sum of every density map against the
# count.
# </details>

# %% tags=["exercise"]
outside = ndimage.gaussian_filter(single, 40, mode="constant")
lost = 100 * (1 - outside.sum() / single.sum())
nb.widgets.guess("How much of the count is lost at a width of 40 px?", lost, unit="%")

# %% [markdown]
# ## You now have
# points, the gate that makes them right or wrong, a reason to look at counts as well as
# at F1, three networks that find centres beside blobs that learn nothing, and a map of
# density.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Two detectors, F1 of 0.9 at a gate of 5 px and of 0.9 at 10 px.
# Which is better?</summary>
#
# The first, if the nuclei are the same: within 10 px it scores 0.9 or more. Without
# the gate a score says nothing.
# </details>
#
# <details><summary>2. Precision is 0.5 and recall 1. What would you look for?</summary>
#
# Doubles. Look at the distance between neighbouring points: many at a few pixels mean
# that `min_distance` is too small. Otherwise, debris is taken for nuclei.
# </details>
#
# <details><summary>3. You need areas as well. Were the points a waste?</summary>
#
# No: they are markers. Lesson 12b grows nuclei from them, and any segmentation can take
# them with `--markers`.
# </details>
#
# **Where next:** boxes, and centres that become markers (lesson 12b); your own images:
# `workbench_detect`. Points alone can teach a segmentation, where grey values tell
# nuclei from background: `nbtools train point_supervised` (lesson 14). Commands:
# `nbtools train kinet DATA --out MODEL`, `nbtools predict MODEL IMAGES --out FOLDER`,
# `nbtools evaluate FOLDER DATA --task detection --gate-px 5`.
