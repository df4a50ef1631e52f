# %% [markdown]
# # Workbench · Count and measure nuclei in your own images, without labels
#
# **You will be able to** count and measure the nuclei in images that nobody has
# labelled, with a trained network that you choose by looking at your own image, correct
# a few of its results by hand, let it learn from them, know by a score on held-out
# images whether that helped, and take the table home.
#
# No lesson text here; the lessons explain. Every form has a valid answer filled in, so
# *Run all* works and shows the way with simulated nuclei. Five minutes on two processor
# cores, and as long as your own corrections take.

# %% cellView="form" tags=["skip-execution"]
# @title Install (on Colab; elsewhere this does nothing) { display-mode: "form" }
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic(
        "pip", 'install "nbtools @ git+https://github.com/OWNER/REPOSITORY"'
    )

# %%
import nbtools as nb

nb.runtime.check()

# %% [markdown]
# ## 1. Your images
# One folder with all of them, or files to upload: planes or volumes, grey or stained
# sections, any bit depth. No labels are needed. On Colab, `nb.runtime.mount_drive()`
# brings your Google Drive here.

# %%
chosen = nb.widgets.pick_data(samples="simulated2d")
chosen

# %% [markdown]
# Nuclei are looked for in one channel of all images; in stained sections, in all
# colours. Time points of a movie are images of their own here.

# %%
channel = nb.widgets.pick_channel(chosen.value[0])
channel

# %%
images = channel.apply(chosen.value).frames()
print(channel.sentence)
nb.show.images(images)

# %% [markdown]
# ## 2. Which network suits them?
# All weights that fit your images, side by side on one of them, and Otsu's threshold,
# which has learned nothing. Look at places where nuclei touch, at dim ones, and at
# debris. Choose in the menu, then run the cells below.

# %%
weights = nb.widgets.pick_weights(images)
weights

# %% [markdown]
# ## 3. Correct a few results
# The painter begins with what the network has found. Add what is missing (tool
# *Click*: one click, and the network outlines the nucleus; or draw it), delete what is
# none (D), cut and join. Then press **Save**: only saved images count as corrected.
# Three images are enough to begin with: one to learn from, one to choose by, one to
# test with. Choose them before you see how well they went.

# %%
folder = "runs/workbench_nuclei"
hand = nb.widgets.correct(images, weights.model, save_to=f"{folder}_corrected")
hand

# %% [markdown]
# Images that came with labels, like the simulated ones, count as corrected. The test
# images stay unseen until section 5.

# %%
corrected = hand.value
train, val, test = corrected.split_few(seed=0)
print(hand.describe())
print(f"{len(train)} to learn from, {len(val)} to choose by, {len(test)} to test with.")

# %% [markdown]
# ## 4. Let a network learn from your corrections
# It begins with shipped weights, so a few images and minutes help; from *nothing*, it
# needs many more, but any method can be chosen. Without corrected images nothing is
# trained, and the weights of section 2 go on as they are.

# %%
start = nb.widgets.pick_start(train or images, weights=weights.value)
start

# %%
live = None
if len(train):
    model = start.make()
    plan = start.plan("workbench_nuclei", model, train=train, val=val)
    live = nb.widgets.train_live(model, train, val=val or None, plan=plan)
live or "No corrected image: nothing to learn from."

# %%
model, source = weights.model, weights.value
if live:
    model, source = live.value, f"{folder}/model"
    history, data = live.history, [train, val]
    nb.training.save_model(source, model, plan=plan, history=history, data=data)
print(f"From here on: {source}")

# %% [markdown]
# ## 5. Did it help?
# Scores on the test images, beside those of the weights as they were and of Otsu's
# threshold. If learning did not help, go back to the weights: run
# `model, source = weights.model, weights.value` in a new cell.

# %%
rivals = {source: model}
if live:
    rivals[weights.value] = weights.model
if weights.model.domain.channels == 1:
    rivals["otsu"] = nb.methods.load("otsu")
found = {name: [] for name in rivals}
for sample in test:
    for name, rival in rivals.items():
        found[name].append(rival.predict(sample.image))

# %%
scores = nb.metrics.evaluate_each(test, found) if len(test) else None
nb.show.scores(scores) if scores else "No test image was corrected, so no score."

# %%
pictures = nb.show.predictions(test, found[source]) if len(test) else None
pictures or "Correct images in section 3."

# %% [markdown]
# ## 6. All images
# Nuclei in every image, a row per nucleus in `nuclei.csv`, outlines for Fiji, and the
# report. It says which weights were used, what they learned from, and the score on the
# test images, or that there is none.

# %%
result = nb.export.save_results(
    f"{folder}/result", images, model=model, source=source, overwrite=True
)
table = nb.measure.read_table(result / "nuclei.csv")
nb.show.measurements(table)

# %%
nb.export.save_scores(result, test, found=found)
nb.show.page(nb.report.write(result))

# %% [markdown]
# ## 7. Take it home
# The result with its report; the model lies in the folder `model` beside it, and works
# on any machine: `nbtools predict MODEL IMAGES --out FOLDER`.

# %%
nb.widgets.download(result)

# %% [markdown]
# ## You now have
# label images, outlines, a table of all nuclei and a report, made by a network that was
# chosen by looking, corrected by hand and tested on images it has not seen; and the
# corrected images in `runs/workbench_nuclei_corrected`, a data set to build on.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. You corrected the three images on which the network did best.
# What does the score tell you?</summary>
#
# How well it does on easy images. Choose those to correct without regard to the result:
# at random, or so that each condition and each day is among them.
# </details>
#
# <details><summary>2. You began with the network's outlines and corrected little. Why
# may the score be too high?</summary>
#
# Outlines that you left as they were agree with the network by construction. Score
# against images that were labelled from scratch, if much depends on it.
# </details>
#
# <details><summary>3. The counts changed after learning. Are the new ones
# right?</summary>
#
# Only the test images tell, and only for images like these. Look at the flagged images
# in the report first.
# </details>
#
# **Where next:** which image to correct next: `nbtools next MODEL IMAGES`; lesson 16
# for what a score can hide; lesson 17 for what the measurements mean.
