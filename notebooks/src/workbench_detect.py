# %% [markdown]
# # Workbench · Detect nuclei in your own images
#
# **You will be able to** train any detector of `nbtools` on your own images, from
# points, boxes or labels, see whether it has learned, score it on images that it has
# not seen, and take the model, the points and the counts home.
#
# No lesson text here; lesson 12 explains. Every form has a valid answer filled in, so
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
# A folder with `images/` and one of `centres/` (NAME.csv with the columns y, x and
# perhaps z and class; points of Fiji or QuPath), `boxes/` or `labels/`. On Colab,
# `nb.runtime.mount_drive()` brings your Google Drive here.

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

# %% [markdown]
# ## 4. Choose and set a method
# `kinet`, `sp_cnn` and `nuclei_detection` find points. The table lists all detectors,
# those that find boxes, too. Change the name, and run the cell again.

# %%
rows = []
for name in nb.methods.names("detection"):
    about = nb.methods.describe(name)
    needs = ", ".join(about["needs"])
    rows.append({"name": name, "title": about["title"], "learns from": needs})
nb.show.table(rows)

# %%
method = "kinet"
form = nb.widgets.form(nb.methods.get(method), suggest_from=train)
form

# %% [markdown]
# ## 5. Train
# Both curves should fall. *Stop* keeps the best weights so far, *Resume* continues from
# there; then run the cells below again. The next cell waits until the training has
# ended. After a restart of the kernel, add `resume=True` to the plan.

# %%
model = nb.methods.get(method)(form.value)
plan = nb.training.TrainingPlan(seed=0, folder="runs/workbench_detect")
live = nb.widgets.train_live(model, train, val=val, plan=plan)
live

# %%
history = live.history
nb.show.training(history)

# %% [markdown]
# The model, its learning curve and its *recipe* (settings, seed, versions, a
# fingerprint of every image) go into one folder.

# %%
folder = "runs/workbench_detect/model"
model.save(folder)
nb.io.write_csv(f"{folder}/history.csv", history.rows)
inputs, command = [*train.files(), *val.files()], "workbench_detect.ipynb"
nb.training.write_recipe(
    folder, model, plan=plan, history=history, inputs=inputs, command=command
)

# %% [markdown]
# ## 6. Score it on images that it has never seen
# Compare with the classical method: a network that is not better is not worth the
# effort. Choose the gate before you look (lesson 12).

# %%
blob_log = nb.methods.load("blob_log")
found = {method: [], "blob_log": []}
for sample in test:
    found[method].append(model.predict(sample.image))
    found["blob_log"].append(blob_log.predict(sample.image))
nb.show.points(test[0].image, {name: results[0] for name, results in found.items()})

# %%
scores = nb.tasks.detection.evaluate_each(test, found, gate_px=5)
nb.show.scores(scores)

# %% [markdown]
# ## 7. Take it home
# The model folder works on any machine: `nbtools predict MODEL IMAGES --out FOLDER`
# writes a table of points per image, counts, and pictures. The report says what was
# done, and with which settings.

# %%
nb.report.write(folder)

# %%
nb.widgets.download(folder)

# %% [markdown]
# ## You now have
# a trained detector in `runs/workbench_detect/model`, its learning curve, its score on
# unseen images beside that of a classical method, and a report.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. The count is right, and F1 is low. How can that be?</summary>
#
# As many nuclei are missed as are found where none are, or the points lie farther from
# the centres than the gate. Look at the picture.
# </details>
#
# <details><summary>2. You have labels. Would you train a detector or a segmentation?
# </summary>
#
# Where only counts and places matter, the detector is faster to predict; where
# `nuclei2d` or your segmentation is good already, its centres may be as good. Score
# both on *test*, once.
# </details>
#
# <details><summary>3. May you choose the gate after you have seen the scores?
# </summary>
#
# No: it is a choice like any other. Take half the diameter of a nucleus, or what
# others in your field take, and say so.
# </details>
#
# **Where next:** the same on the command line, for all your images at once:
# `nbtools train`, `nbtools predict`, `nbtools evaluate --task detection`; nuclei grown
# from your points: `nbtools predict nuclei2d IMAGES --markers RESULT --out FOLDER`.
