# %% [markdown]
# # 16 · Quality control
#
# **You will be able to** choose a score that cannot mislead, find the images and nuclei
# where a method fails, say how certain a score is, compare two methods fairly, and
# notice when an image is outside the range of your model.
#
# 10 minutes on two processor cores; no graphics card, no training. Papers: Caicedo et
# al. 2019, doi:10.1038/s41592-019-0612-7 (AP); Maier-Hein et al. 2024,
# doi:10.1038/s41592-023-02151-z (which metric for which question); Efron & Tibshirani
# 1993, doi:10.1201/9780429246593 (bootstrap).

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
# ## 1. A perfect score for a useless result
# **Break it.** We take the expert's own labels, forget which nucleus is which, and keep
# only *nucleus or background*. Every connected region becomes one nucleus. No pixel is
# wrong. **Guess**: which share of the nuclei is still right?
#
# **Exercise.** Guess before you run the cell: two touching nuclei are one region here.
# Which share of the nuclei is still right?
#
# <details><summary>Solution</summary>
#
# Count the green ones in the map, or read the counts under it.
# </details>

# %%
sample = nb.data.samples("nuclei2d")[0]
truth = sample.label
foreground = nb.targets.foreground.encode(truth.pixels.astype("int32"))
connected = nb.targets.foreground.decode(foreground)
pairs = nb.metrics.pair_results(truth.pixels, connected)
nuclei = nb.metrics.instances.evaluate(pairs)
nb.show.error_map(sample.image, truth, predicted=connected)

# %%
pixels = nb.metrics.semantic.evaluate(pairs)
rows = {
    "Dice of the pixels": pixels["dice"],
    "mean AP": nuclei["mean_ap"],
    "panoptic quality": nuclei["panoptic_quality"],
    "SEG": nuclei["seg"],
    "count bias": nuclei["count_bias"],
    "merges": nuclei["merges"],
}
nb.show.table({"score": list(rows), "value": list(rows.values())})

# %% [markdown]
# The Dice of the pixels is 1, and so would be pixel accuracy and the IoU of the
# foreground: **they do not know what a nucleus is**. For counting and measuring, use
# scores of instances: AP, panoptic quality, SEG, and the kinds of mistake. The same
# function scores volumes.
#
# ## 2. A set of images, and two results
# Sixteen simulated images with exact truth: eight microscope sessions of two images
# each, every session with its own light, from dim to bright. We segment them with two
# methods: the network that comes with the course, and the classical one.

# %%
scene = {"shape_px": (160, 160), "density": (0.2,), "clustering": (0.7,)}
scene |= {"radius_um": (4.0, 5.0), "brightness_spread": (0.2,), "background": (0.05,)}
images = []
for number, photons in enumerate((5.0, 8.0, 12.0, 20.0, 40.0, 80.0, 200.0, 500.0)):
    settings = scene | {"photons": (photons,)}
    for sample in nb.simulate.make("nuclei2d", count=2, seed=number, settings=settings):
        name = f"session {number + 1} image {sample.name[-1]}"
        images.append(sample.replace(name=name, group=f"session {number + 1}"))
nb.show.images({sample.name: sample.image for sample in images[::2]})

# %%
network, classical = nb.methods.load("nuclei2d_small"), nb.methods.load("otsu")
found = {"network": [], "classical": []}
for sample in images:
    found["network"].append(network.predict(sample.image, raw=True))
    found["classical"].append(classical.predict(sample.image))
scores = nb.metrics.evaluate_each(images, found)

# %% [markdown]
# Look at the eight pictures again. The classical method has one threshold per image;
# the network has seen many images, some of them dim. **Guess**: in how many of the
# sixteen will the network have the higher mean AP?

# %% tags=["exercise"]
wins = 0
for one, other in zip(*[scores[name]["per_image"] for name in scores], strict=True):
    wins += one["mean_ap"] > other["mean_ap"]
nb.widgets.guess("The network is ahead in how many images?", wins, unit="of 16")

# %%
nb.show.scores(scores)

# %% [markdown]
# ## 3. Look at the worst images first
# A mean hides where it comes from. Sort the images by score and look at the worst one,
# not at the one for the paper.

# %%
each = [row["mean_ap"] for row in scores["network"]["per_image"]]
order = np.argsort(each)
worst, prediction = images[order[0]], found["network"][order[0]]

# %% tags=["exercise"]
nb.widgets.guess("The mean AP of the worst image?", each[order[0]])

# %%
nb.show.error_map(worst.image, worst.label, predicted=prediction.labels)

# %% [markdown]
# And which *nuclei* are missed? Group them by size and by contrast. Where small nuclei
# are missed more often, as here, the mean area is wrong, not only the count.

# %%
describe, stratify = nb.metrics.strata.describe_nuclei, nb.metrics.strata.stratify
strata = {}
for method, predictions in found.items():
    both = zip(images, predictions, strict=True)
    nuclei = describe((s.name, s.label, p.labels, s.image) for s, p in both)
    strata[method] = {}
    for by in ("size", "contrast"):
        strata[method][by] = stratify(nuclei, by)
nb.show.strata(strata)

# %% [markdown]
# ## 4. Nothing may vanish
# **Break it.** The program stopped at the four worst images and wrote nothing for them.
# Many scripts average over the files that they find. **Guess**: does the score rise or
# fall?
#
# **Exercise.** The files of the four worst images are lost. Does the mean AP of the
# files that are left rise, fall or stay? Guess before you run the cell.
#
# <details><summary>Solution</summary>
#
# It rises: what was difficult has vanished.
# </details>

# %%
results = list(found["network"])
for number in order[:4]:
    results[number] = None
pairs = nb.metrics.pair_results(images, results)
evaluate = nb.metrics.instances.evaluate
files = evaluate([pair for pair in pairs if pair[2] is not None])
complete = evaluate(pairs)
rows = {
    "all images, none lost": scores["network"]["mean_ap"],
    "the 12 files that are left": files["mean_ap"],
    "all images, four lost": complete["mean_ap"],
}
print("Missing:", *complete["missing"], sep="\n")
nb.show.table({"averaged over": list(rows), "mean AP": list(rows.values())})

# %% [markdown]
# Without its worst images the method scores *better*. In `nbtools` all nuclei of an
# image without a result count as missed, and the image is named; on the command line
# the exit code is 1, so that a script notices too.
#
# **Exercise.** Let the four *best* images be lost: in the cell above, change
# `order[:4]` to `order[-4:]`, and run it again. What do the two averages do?
#
# <details><summary>Solution</summary>
#
# Both fall below the score of all images. The files that are left are the difficult
# ones; and the lost ones count as missed. Whether a script flatters or slanders a
# method depends on what it lost, and nobody knows that from the number. (Put
# `order[:4]` back before you go on.)
# </details>

# %% [markdown]
# ## 5. How certain is the score?
# Other images would have given another score. Draw the images again and again with
# replacement (*bootstrap*), and see how the score varies: where nearly all draws lie is
# the *95 % interval*. Nineteen of twenty such intervals hold the score of *all* images
# like these; one does not. But images of one session share their light, and a new
# experiment means new *sessions*. So draw whole sessions. And what are the first three
# sessions worth alone?

# %%
sessions = {sample.name: sample.group for sample in images}
pairs = nb.metrics.pair_results(images, found["network"])
rows = []
for unit, groups in (("images", None), ("sessions", sessions)):
    low, high = evaluate(pairs, groups=groups)["interval_95"]["mean_ap"]
    rows.append({"drawn": unit, "low": low, "high": high, "width": high - low})
few = evaluate(pairs[:6], groups=sessions)
limits = few["interval_95"]["mean_ap"]
print(nb.metrics.bootstrap.format_interval(limits, few["interval_units"]))
nb.show.table(rows)

# %% [markdown]
# The interval of the sessions is wider, and it is the honest one. Nuclei, images,
# animals: **draw the unit that you would repeat**. No draw of three sessions leaves the
# range from the lowest to the highest of them, and one time in four all three lie on
# the same side of the truth: with fewer than six units there *is* no 95 % interval, and
# `nbtools` says so.
#
# **Exercise.** In the cell above, `pairs[:6]` are the images of three sessions, two of
# each. Take more: `pairs[:8]`, `pairs[:10]`, `pairs[:12]`. From how many sessions on
# does the printed line no longer warn?
#
# <details><summary>Solution</summary>
#
# Six. The chance that all of n sessions lie on the same side of the truth is 2 · 0.5ⁿ:
# 25 % for three, 6 % for five, 3 % for six. Only from six on can an interval hold what
# "95 %" promises.
# </details>

# %% [markdown]
# ## 6. Is one method better?
# Both methods see the same images, and what is difficult for one is often difficult for
# the other: their scores rise and fall together. So compare by the *difference*, on the
# same draws.

# %%
compared = nb.metrics.compare.compare(scores, baseline="classical", groups=sessions)
nb.show.differences(compared)

# %% [markdown]
# The line crosses 0, so it is grey: the network's mean AP is higher on these images,
# but eight sessions are too few to tell the two methods apart. A coloured line would
# mean: more than the choice of the sessions explains, *on images like these*. One such
# line in twenty is coloured by chance.
#
# **Exercise.** You write the paper. Which sentence do these sixteen images allow?
#
# 1. The network is better.
# 2. Both methods are equally good.
# 3. Eight sessions do not tell them apart.
#
# <details><summary>Solution</summary>
#
# The third. A difference that cannot be told from 0 is neither a proof that there is
# one nor a proof that there is none: the line reaches far to the right as well. More
# sessions make it shorter.
# </details>

# %% [markdown]
# ## 7. The threshold that was chosen on the test set
# **Break it.** The network predicts *how probable* a nucleus is; a threshold decides.
# Which one is best? We try thirteen thresholds on two images, take the best, and report
# its score **on the same two images**; then on the other fourteen. The second row is
# the middle threshold.

# %%
rows = []
for threshold in np.linspace(0.2, 0.8, 13):
    again = [network.decode_again(p, threshold=threshold) for p in found["network"]]
    others = nb.metrics.pair_results(images, again)
    two = [others.pop(13), others.pop(5)]
    on_two, on_others = evaluate(two)["mean_ap"], evaluate(others)["mean_ap"]
    rows.append({"threshold": threshold, "two": on_two, "the other 14": on_others})
best = max(rows, key=lambda row: row["two"])
nb.show.table([best, rows[6]])

# %% [markdown]
# On the two images where it was chosen, the best threshold gains more than twice as
# much as on the other fourteen. With one threshold the harm is small; with twenty
# settings and a choice of networks it can decide a paper. So there are three sets:
# *train* to learn, *validation* to choose, *test* to report, once. In `nbtools` the
# choice is part of training: `fit(train, val)` takes no test images, and cannot use
# them.
#
# **Exercise.** Choose on two other images: change the line with `others.pop` to `two =
# [others.pop(2), others.pop(0)]`, and run the cell again. Is the same threshold the
# best one? (Put the line back afterwards.)
#
# <details><summary>Solution</summary>
#
# No: now 0.2 is best, in place of 0.3, and on the other fourteen images it is no better
# than the middle threshold: 0.519 against 0.523. What looked like a gain belongs to the
# two images, not to the method.
# </details>

# %% [markdown]
# ## 8. An image that is not for this model
# Without labels there is no score. But the model stores what its training images looked
# like, and warns when yours differ. Here are dark nuclei on a bright background, for a
# network that was trained on bright nuclei on a dark one:
#
# **Exercise.** Guess before you run the cell: the expert counted 125 nuclei. Will about
# as many outlines be drawn now?
#
# <details><summary>Solution</summary>
#
# No, 21: bright is dark now, the outlines are of something else, and the printed
# warning says so.
# </details>

# %%
sample = nb.data.samples("nuclei2d")[0]
inverted = sample.image.replace(pixels=sample.image.pixels.max() - sample.image.pixels)
strange = network.predict(inverted)
print(*strange.warnings, sep="\n")
nb.show.overlay(inverted, strange.labels)

# %% [markdown]
# It predicts outlines all the same: **a network never says "I do not know"** by itself.
# Read the warnings; the report repeats them.
#
# ## 9. Resolution, without any truth
# Two exposures of the same nuclei share their detail but not their noise. Down to which
# detail do they agree? *Fourier ring correlation* answers: the lower the number beside
# a curve, the finer the detail that both exposures show.

# %%
rng, light = np.random.default_rng(0), sample.image.pixels / sample.image.pixels.max()
curves = []
for photons in (20, 5, 1):
    first, second = rng.poisson(photons * light), rng.poisson(photons * light)
    curves.append(nb.metrics.frc.measure_resolution(first, second))

# %% tags=["exercise"]
question = "With 20 photons it is 9 px. With 5 photons, a quarter of the light?"
nb.widgets.guess(question, curves[1].resolution, unit="px")

# %%
nb.show.resolution(*curves, names=("20 photons", "5 photons", "1 photon"))

# %% [markdown]
# With less light, the same microscope resolves less.
#
# ## You now have
# a way to judge a result that a reviewer can follow. On your own images, two lines
# write it all down, with the worst images, intervals and a methods paragraph:
#
# ```
# nbtools compare result_a result_b --truth my_test --group-by animal --out comparison
# nbtools report comparison --pdf
# ```
#
# **Three questions** (think first, then open)
#
# <details><summary>1. A paper reports a Dice of 0.96 for nuclei in tissue. Can you
# count with that method?</summary>
#
# You cannot know. Dice scores the foreground; in tissue nuclei touch, and all contacts
# together are a few per cent of the pixels. Ask for the AP at 0.5, and for splits and
# merges.
# </details>
#
# <details><summary>2. Forty images from one animal, interval 0.81 to 0.84. What will
# the next animal give?</summary>
#
# Nobody knows: only one animal was measured. The interval is about other images *of
# that animal*. With six animals and `--group-by animal` it would most likely be wider,
# and would answer your question.
# </details>
#
# <details><summary>3. You fixed the threshold by looking at three test images, "just to
# see". What now?</summary>
#
# These three are validation images from now on. Say so, leave them out of the test, and
# report the score of the others.
# </details>
#
# **Where next:** `17_measure_nuclei`: from good labels to numbers about biology, with
# the animal as the unit.
