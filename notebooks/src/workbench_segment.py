# %% [markdown]
# # Workbench · Find nuclei in your own images
#
# **You will be able to** train any segmentation method of `nbtools` on your own
# labelled images, see whether it has learned, score it on images that it has not seen,
# and take the model and its results home.
#
# No lesson text here; the lessons explain. Every form has a valid answer filled in, so
# *Run all* works and shows the way with simulated nuclei. Minutes on two processor
# cores; on Colab choose *Runtime > Change runtime type > T4 GPU* for serious training.

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
# A folder with `images/` and `labels/` inside, files of the same name belong together.
# On Colab, `nb.runtime.mount_drive()` brings your Google Drive here; what you train is
# then kept there, too. Without it, all is gone with the machine.

# %%
chosen = nb.widgets.pick_data(samples="simulated2d")
chosen

# %%
images = chosen.value
nb.show.images(images)

# %% [markdown]
# ## 2. Are they fit for training?
# Each finding says what to do about it. Repair what is called an error before you go
# on.

# %%
nb.show.findings(nb.checks.check(images))

# %% [markdown]
# ## 3. Split
# Train on most images, choose settings on some (*val*), score on the rest (*test*),
# which nothing may use before the end.

# %%
train, val, test = images.split(val=0.2, test=0.2, seed=0)
nb.show.pairs(train, limit=2)

# %% [markdown]
# ## 4. Choose and set a method
# `fast_nuclei`, `unet`, `border_unet`, `stardist`, `flows`, `planned`; for volumes
# `qcanet` and `cdeep3m`, too. Change the name, and run the cell again. The defaults
# suit the size of your images. The help beside each setting says what it does.

# %%
method = "fast_nuclei"
form = nb.widgets.form(nb.methods.get(method), suggest_from=train)
form

# %% [markdown]
# ## 5. Train
# Both curves should fall. If *validation* rises again while *training* falls, the
# network learns your images by heart: more images or a shorter training help.
#
# *Stop* keeps the best weights so far, *Resume* continues from there; then run the
# cells below again. The next cell waits until the training has ended.
#
# The first line says where the run lies, and what a disconnect or a restart costs. A
# run that broke off is found again, also by a fresh machine where your Google Drive is
# mounted: *Run all*, with the same images and settings, goes on with it.

# %%
model = nb.methods.get(method)(form.value)
plan = nb.training.plan_run("workbench_segment", model, train=train, val=val)
print(nb.training.describe_place(plan))

# %%
live = nb.widgets.train_live(model, train, val=val, plan=plan)
live

# %%
history = live.history
nb.show.training(history)

# %% [markdown]
# ## 6. Move the threshold
# The training has chosen the thresholds that suit the validation images best. Here is
# one of them: too many specks? Move it up. Dim nuclei missed? Move it down. The model
# uses the value that you leave here. (Never choose it on test images.)

# %%
seen = model.predict(val.image(0), raw=True)
start = model.decoding_values()["threshold"]
slider = nb.widgets.explore_threshold(
    val.image(0), lambda t: model.decode_again(seen, threshold=t).labels, start=start
)
slider

# %% [markdown]
# The model, its learning curve and its *recipe* (settings, seed, versions, a
# fingerprint of every image) go into one folder.

# %%
folder = plan.folder / "model"
model.tuned["threshold"] = slider.value
model.save(folder)
nb.io.write_csv(folder / "history.csv", history.rows)
inputs, command = [*train.files(), *val.files()], "workbench_segment.ipynb"
nb.training.write_recipe(
    folder, model, plan=plan, history=history, inputs=inputs, command=command
)

# %% [markdown]
# ## 7. Score it on images that it has never seen
# Compare with the classical method: a network that is not better is not worth the
# effort.

# %%
otsu = nb.methods.load("otsu")
found = {method: [], "Otsu + watershed": []}
for sample in test:
    found[method].append(model.predict(sample.image))
    found["Otsu + watershed"].append(otsu.predict(sample.image))
nb.show.predictions(test, found[method])

# %%
nb.show.scores(nb.metrics.evaluate_each(test, found))

# %% [markdown]
# ## 8. Take it home
# The model folder works on any machine: `nbtools predict MODEL IMAGES --out FOLDER`.
# The report says what was done, and with which settings.

# %%
nb.report.write(folder)

# %%
nb.widgets.download(folder)

# %% [markdown]
# ## You now have
# a trained model in the folder `model` of the run, its learning curve, its score on
# unseen images beside that of a classical method, and a report.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. The score is high on <i>train</i> and low on <i>test</i>. What
# happened?</summary>
#
# The network knows its training images by heart, or the test images differ from them
# (another day, stain or microscope). Look at the test images beside the training images
# first.
# </details>
#
# <details><summary>2. Two tiles of one large field: one in train, one in test. What is
# wrong?</summary>
#
# They share nuclei at the border, light and focus, so the test is easier than reality.
# Keep whole fields (animals, plants, days) on one side: `images.split(group_by=…)`.
# </details>
#
# <details><summary>3. You changed a setting five times and kept the best test score.
# May you report it?</summary>
#
# No: by choosing on *test* you have trained on it. Choose on *val*, and use *test*
# once.
# </details>
#
# **Where next:** the same on the command line, for all your images at once:
# `nbtools train`, `nbtools predict`, `nbtools evaluate`.
