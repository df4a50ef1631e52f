# %% [markdown]
# # 11 · Tell nuclei apart II: shapes and flows
#
# **You will be able to** say which nuclei a star can describe and which need flows,
# follow pixels to where they meet, train both, and take either into the third
# dimension.
#
# 20 minutes on two processor cores; no graphics card. Papers: StarDist (Schmidt et al.
# 2018, doi:10.1007/978-3-030-00934-2_30; in 3D Weigert et al. 2020,
# doi:10.1109/WACV45572.2020.9093435), Cellpose (Stringer et al. 2021,
# doi:10.1038/s41592-020-01018-x).

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
# Lesson 10 taught the network what lies *between* nuclei. Here it learns about the
# *whole* nucleus: at every pixel it predicts where the rest of the nucleus is.
#
# ## 1. A nucleus as a star
# StarDist predicts for each pixel how far it is to the border of its nucleus, in 8, 32
# or more directions. The ends of these rays form a polygon. **Which part of this bent
# nucleus can no number of rays reach, and why?**

# %%
down, across = np.mgrid[-30:31, -30:31]
radius = np.hypot(down, across)
bent = ((radius > 12) & (radius < 24) & (down < 8)).astype("int32")
nb.show.stars(bent, rays=(8, 32))

# %% [markdown]
# A ray ends at the first border it meets. What no straight ray from the centre reaches
# is lost. Shapes of which every part can be reached from one point are called
# *star-convex*. Most nuclei are. So test the oracle (lesson 10): real nuclei, perfect
# rays. **Guess first:** what do 8 rays cost, and at which threshold?

# %%
sample, StarDist = nb.data.samples("nuclei2d")[0], nb.methods.get("stardist")
oracles = {}
for rays in (8, 32):
    oracles[f"{rays} rays"] = StarDist(rays=rays).draw_oracle(sample.label)

# %% tags=["exercise"]
scored = nb.metrics.evaluate_each(sample.label, oracles)
strict = scored["8 rays"]["pooled"]["0.90"]["ap"]
nb.widgets.guess("Perfect stars of 8 rays: the AP at an IoU of 0.9?", strict)

# %%
nb.show.scores(nb.metrics.evaluate_each(sample.label, oracles))

# %% [markdown]
# Eight rays find every nucleus, but hardly any outline is exact: at 0.9 an AP of less
# than 0.1 is left. With 32 rays, the default, it is above 0.9 there. In return a star
# is *always one whole nucleus*, without a hole, even where the image is unclear. Of all
# the stars that pixels propose, the most probable is kept, and others that overlap it
# are dropped.
#
# ## 2. Flows
# Cellpose predicts something else for each pixel: **in which direction does the middle
# of its nucleus lie?** To compute the truth, heat spreads inside each nucleus from a
# pixel near its middle; the arrow points to where it becomes warmer. Every arrow has
# length 1.

# %%
truth = sample.label.pixels.astype("int32")
maps = nb.targets.flows.encode(truth)
cut = (slice(0, 128), slice(0, 128))
crop = sample.image.replace(pixels=sample.image.pixels[cut])
nb.show.flows(crop, maps[cut])

# %% [markdown]
# Where two nuclei touch, the colours jump: left and right of a contact the directions
# are opposite, and that is what splits them. To turn arrows into labels, let every
# pixel walk along the arrows, step by step. **Pixels that meet are one nucleus.**

# %%
nb.show.paths(crop, maps[cut])

# %% [markdown]
# **Exercise.** Guess before you run the cell: in how many points do the pixels of the
# bent nucleus meet?
#
# <details><summary>Solution</summary>
#
# In one, as the first line says: flows need no convex shape.
# </details>

# %%
bent_flows = nb.targets.flows.encode(bent)
meeting = nb.targets.flows.decode(bent_flows).max()
print(f"Meeting points in the bent nucleus: {meeting}")
oracles["flows"] = nb.targets.flows.decode(maps)
nb.show.scores(nb.metrics.evaluate_each(sample.label, oracles))

# %% [markdown]
# The heat spreads around the bend, so the pixels of the bent nucleus meet as well. A
# perfect network with flows loses nothing, at any threshold. The price: nothing
# *forces* the result to have the shape of a nucleus. Where arrows are uncertain, one
# nucleus has two meeting points, or pixels get lost on the way.
#
# ## 3. Break it: mirror the image, but not the arrows
# More training images cost nothing: mirror them. Pixels change sides, and an arrow that
# pointed right now has to point *left*. Suppose we forget that.

# %%
forgotten = np.flip(maps, axis=1)
mirrored = nb.targets.flows.flip(maps, axis=1)
right = crop.replace(pixels=crop.pixels[:, ::-1])
nb.show.paths(right, forgotten[:128, -128:])

# %% [markdown]
# **Exercise.** Guess before you run the cell: what is the AP at an IoU of 0.5 where the
# arrows are not mirrored?
#
# <details><summary>Solution</summary>
#
# The left end of its curve: pixels walk away from each other, and hardly a nucleus is
# left.
# </details>

# %%
flipped = {
    "arrows not mirrored": nb.targets.flows.decode(forgotten),
    "arrows mirrored too": nb.targets.flows.decode(mirrored),
}
nb.show.scores(nb.metrics.evaluate_each(truth[:, ::-1], flipped))

# %% [markdown]
# Nothing crashes, no number is out of range, the foreground is perfect, and the labels
# are useless. A network trained like this would learn two contradicting things about
# every nucleus. The remedy here: patches are rotated and mirrored first, and flows are
# computed from the *transformed labels*.
#
# ## 4. Train both
# We train on simulated nuclei, long ones, that touch. 150 steps each: enough to see,
# not enough for your paper.

# %%
crowd = {"shape_px": (128, 128), "clustering": (0.8,), "density": (0.25,)}
crowd |= {"radius_um": (4.0, 6.0), "elongation": (1.5, 2.5)}
samples = nb.simulate.make("nuclei2d", count=24, seed=0, settings=crowd)
train, val, test = samples.split(val=0.15, test=0.4, seed=0)
budget = {"epochs": 6, "steps_per_epoch": 25, "batch_size": 4, "patch_size": 96}
stardist = StarDist(**budget)
stardist.fit(train, val)
flows = nb.methods.get("flows")(**budget)
nb.show.training(flows.fit(train, val))

# %% [markdown]
# What does the network predict for an image that it has never seen? Dark colours are
# short arrows: there it is uncertain. **Where?**

# %%
prediction = flows.predict(test[0].image, raw=True)
nb.show.flows(test[0].image, prediction.raw["maps"])

# %%
found = {"stardist": [], "flows": []}
for sample in test:
    found["stardist"].append(stardist.predict(sample.image))
    found["flows"].append(flows.predict(sample.image))

# %% tags=["exercise"]
scored = nb.metrics.evaluate_each(test, found)
best = max(scored, key=lambda name: scored[name]["mean_ap"])
nb.widgets.guess("After 150 steps, which is ahead?", best, choices=list(scored))

# %%
nb.show.scores(nb.metrics.evaluate_each(test, found))

# %% [markdown]
# So few steps are hardly a beginning for StarDist: its 32 rays per pixel take longer to
# learn than arrows do. What more training can reach: the example that StarDist's
# authors publish, trained on 380 images of the Data Science Bowl, has an AP of 0.835 at
# 0.5 on 67 others. Our `flows` is a smaller network than that of the paper, made for
# two cores: `preset="paper"` is theirs, with 6.61 million parameters. Both methods need
# nuclei of about the size that they were trained on: that is what `--spacing` and
# `--diameter` are for.
#
# ## 5. Into the third dimension
# Stars become polyhedra, of 96 rays by default, stretched where planes lie farther
# apart than pixels. Flows get a third component. The oracle, on a simulated volume:

# %%
cells = {"shape_px": (16, 72, 72), "density": (0.25,), "clustering": (0.6,)}
cells |= {"radius_um": (2.5, 3.5)}
volumes = nb.simulate.make("nuclei3d", count=7, seed=1, settings=cells)
image, label = volumes[0].image, volumes[0].label
spacing = image.relative_spacing
solid = nb.targets.flows.encode(label.pixels.astype("int32"), spacing=spacing)
oracles = {
    "polyhedra": StarDist().draw_oracle(label),
    "flows in 3D": nb.targets.flows.decode(solid, spacing=spacing),
}
nb.show.scores(nb.metrics.evaluate_each(label, oracles))

# %% [markdown]
# A network of three dimensions is slow to train: on two cores a step takes many times
# as long as in the plane. Cellpose's way around it is called **2.5D**: train a *flat*
# network on planes of the volume, cut across z, across y and across x. For a new
# volume, run it on all three sets of planes: each set gives two components of the flow,
# so each component is predicted twice; take the mean, and let the voxels walk in 3D.
# (Planes across y and x look like planes across z only if voxels are cubes: the volume
# is resampled to that first, and the labels back afterwards.)

# %%
budget = {"epochs": 6, "steps_per_epoch": 30, "batch_size": 8, "patch_size": 64}
flat = nb.methods.get("flows")(views="planes", **budget)
flat.fit(volumes[2:], volumes[1:2])
prediction = flat.predict(image)
nb.show.error_map(image, label, predicted=prediction.labels)

# %% tags=["exercise"]
question = "Three sets of planes, two components each. How often is each predicted?"
nb.widgets.guess(question, 3 * 2 / 3, unit="times")

# %%
nb.show.scores(nb.metrics.evaluate_each(label, {"2.5D flows": prediction}))

# %% [markdown]
# Why not segment plane by plane, and join what overlaps? Because outlines, even perfect
# ones, do not show to which of two nuclei above each other a disc belongs. We measured
# it on the volume that comes with the stardist package: *perfect* planes, joined by
# overlap, reach an AP of 0.58 at 0.5; flows in planes reach 1. So read carefully: a
# method that "handles 3D" may do just that. The review (Mougeot et al. 2022) counts
# NuSeT among ten methods for 3D, but the network its authors released is flat, and
# takes volumes slice by slice.
#
# ## 6. Every method on the same tissue
# Simulated tissue, more than 200 touching nuclei per volume, planes three times as far
# apart as pixels. Each method learned for six minutes on one core from 12 volumes,
# chose its thresholds on 3 more, and was scored once on 8
# (`python benchmarks/volumes.py --kind tissue`; in brackets 95 % intervals over
# volumes).
#
# **Exercise.** Which mistake is more frequent, splits or merges? Guess first, then read
# the table.
#
# <details><summary>Solution</summary>
#
# Merges, for all methods but StarDist.
# </details>

# %% [markdown]
# | method | AP at 0.5 | AP at 0.75 | mean AP | splits | merges | seconds per megapixel |
# | --- | ---: | ---: | ---: | ---: | ---: | ---: |
# | Otsu + watershed | 0.11 | 0.01 | 0.04 [0.01, 0.08] | 1 | 411 | 2.9 |
# | `unet` | 0.06 | 0.01 | 0.03 [0.02, 0.03] | 0 | 45 | 1.8 |
# | `stardist`, 12 minutes | 0.19 | 0.00 | 0.05 [0.04, 0.05] | 203 | 34 | 20 |
# | `qcanet` | 0.26 | 0.11 | 0.14 [0.09, 0.21] | 8 | 447 | 4.1 |
# | `border_unet` | 0.41 | 0.03 | 0.14 [0.10, 0.20] | 29 | 371 | 2.9 |
# | `fast_nuclei` | 0.65 | 0.27 | 0.34 [0.24, 0.47] | 65 | 337 | 3.5 |
# | `cdeep3m` | 0.59 | 0.28 | 0.34 [0.24, 0.48] | 62 | 335 | 88 |
# | `nnunet_planned` | 0.75 | 0.51 | 0.51 [0.36, 0.70] | 13 | 199 | 5.0 |
# | `flows` in 3D | 0.84 | 0.59 | 0.58 [0.47, 0.71] | 33 | 141 | 6.4 |
# | `flows`, views=planes | 0.84 | 0.59 | 0.61 [0.43, 0.81] | 16 | 179 | 25 |
#
# Merges, for all methods but StarDist: in crowded tissue a method is as good as its
# treatment of contacts. Arrows that split neighbours carry most information about them;
# the foreground alone (`unet`) carries none, and is no better than Otsu with a
# watershed. Six minutes on one core are not much; methods that learn slowly are at a
# disadvantage here, and may win with more: StarDist, whose 96 rays per voxel take long
# to learn, had twelve minutes; it merges least, but splits most. Two trainings ran at a
# time, each on a core of its own. One seed: differences within the intervals mean
# nothing.
#
# ## 7. A real embryo, and not one real image to learn from
# Outlines of nuclei in volumes are rare. Can simulated volumes replace them? We trained
# two methods on 24 of them, with nuclei as in embryos, little light, specks that are
# not nuclei, and a blur many times as long in z; thresholds were chosen on 6 more. Then
# both segmented a real mouse embryo of 8 cells:
#
# | method | minutes on one core | seed | matched | missed | extra | mean IoU |
# | --- | ---: | ---: | ---: | ---: | ---: | ---: |
# | Otsu + watershed | – | – | 8 | 0 | 0 | 0.60 |
# | `fast_nuclei` | 15 | 0, 1, 2, 3, 4 | 8 | 0 | 0 | 0.70, 0.70, 0.70, 0.73, 0.71 |
# | `flows` in planes | 8 | 0, 1, 2, 3, 4 | 8 | 0 | 0 | 0.72, 0.72, 0.72, 0.73, 0.73 |
# | `flows` in planes: the shipped weights `nuclei3d` | 14 | 0 | 8 | 0 | 0 | 0.69 |
#
# (`python benchmarks/embryo.py`.) With both, every nucleus is found and nothing else,
# whatever the seed. Otsu's threshold finds them all, too: eight nuclei far apart are no
# hard case, and only the outlines are better. After 7 minutes on a slower machine two
# of five seeds of `fast_nuclei` still missed nuclei, and a single run would not have
# shown it. A mean IoU of 0.69 to 0.73 means that the outlines differ from those of the
# annotators, who drew far out into the blur, and about half a pixel beside the image.
# The *look* of the simulation was adapted to this one embryo, so **another microscope
# may need another look** (`nbtools simulate nuclei3d --set …`, lesson 04). To try it on
# a volume of your own: `nb.methods.load("nuclei3d").predict(image)`.
#
# **Exercise.** Why is each method trained with five seeds? Choose: "The mean of five is
# better", "One run may be luck" or "One seed is not enough to learn from".
#
# <details><summary>Solution</summary>
#
# "One run may be luck". Two of five missed nuclei after 7 minutes.
# </details>

# %% [markdown]
# ## You now have
# two ways to describe a whole nucleus, a picture of how pixels become nuclei, the habit
# of checking what mirroring does to a target, and a volume segmented by a flat network.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Your nuclei are round and crowded, and the images noisy. Stars or
# flows?</summary>
#
# Stars: the shape that they impose is the right one, and completes what noise hides.
# Flows are better where shapes vary: lobed, bent or long nuclei.
# </details>
#
# <details><summary>2. A large nucleus came out as two. What happened to its
# flows?</summary>
#
# In its middle, far from any border, the network was uncertain, and the arrows form two
# meeting points. Often the nucleus is larger than those in training: give its size with
# `--diameter`. In 2D, `flow_threshold` drops nuclei whose arrows contradict their
# shape, but it does not join halves.
# </details>
#
# <details><summary>3. Why do the flows of 2.5D not simply ignore z, if each plane is
# flat?</summary>
#
# Planes across y and across x contain the z axis. Only the planes across z do not; the
# other two sets give the steps up and down.
# </details>
#
# **Where next:** find first, then outline (lesson 12); the same on your images:
# `workbench_segment`. On the command line:
# `nbtools train flows DATA --out MODEL --set views=planes`,
# `nbtools train stardist DATA --out MODEL --set rays=96`.
