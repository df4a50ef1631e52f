# %% [markdown]
# # Workbench · Classify nuclei in your own images
#
# **You will be able to** cut the nuclei of your own images into crops, sort some of
# them into classes with the keyboard, train any classifier of `nbtools` on them, see
# on nuclei of other images which classes it confuses, and take the model and a table
# of all nuclei home.
#
# No lesson text here; lesson 06 explains. Every form has a valid answer filled in, so
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
# ## 1. Your images, with labels
# A folder with `images/` and `labels/`. Without labels, predict them first
# (`nbtools predict nuclei2d IMAGES --out FOLDER`) and look through them. On Colab,
# `nb.runtime.mount_drive()` brings your Google Drive here.

# %%
chosen = nb.widgets.pick_data(samples="simulated2d")
chosen

# %%
images = chosen.value
nb.show.images(images)

# %% [markdown]
# ## 2. Cut the nuclei out
# One crop per nucleus, all at one scale; the last channel is the outline. Nuclei of one
# image stay together when the crops are split.

# %%
plan = nb.data.plan_crops(images, mask="channel")
crops = nb.data.cut_crops(images, plan)
print(crops, "of", " x ".join(map(str, plan.shape)), "px")

# %% [markdown]
# ## 3. Sort them
# Write the names of your classes, and run the cell. Click into the field once; then a
# digit gives the framed crop its class, 0 skips it, Backspace undoes. Every answer is
# stored at once: run the cell again another day, and go on. After three of each class,
# those come next of which a forest of measurements is least sure. Some hundred crops
# are a beginning.

# %%
folder = "runs/workbench_classify"
names = ("small", "large")
sorter = nb.widgets.sort_images(crops, classes=names, folder=f"{folder}/crops")
sorter

# %% [markdown]
# Simulated nuclei have no classes, so the next cell sorts these by their size, in
# place of your hands. It leaves your own images alone.

# %%
if chosen.way.value == "samples" and not len(sorter.value):
    areas = [float(crop.image.select(C=1).pixels.sum()) for crop in crops]
    middle = sorted(areas)[len(areas) // 2]
    for crop, area in zip(crops, areas, strict=True):
        sorter.sort(crop.name, "large" if area > middle else "small")

# %%
known = sorter.value
counts = dict.fromkeys(known.class_names, 0)
for sample in known:
    counts[sample.class_name] += 1
print(counts)
nb.show.findings(nb.checks.check(known))

# %% [markdown]
# ## 4. Split
# Train on most images, choose settings on some (*val*), score on the rest (*test*),
# which nothing may use before the end. A nucleus is never in two parts, nor are two
# nuclei of one image.

# %%
train, val, test = known.split(val=0.2, test=0.2, seed=0)

# %% [markdown]
# ## 5. Choose and set a method
# The table lists all classifiers. Change the name, and run the cell again.

# %%
rows = []
for name in nb.methods.names("classification"):
    about = nb.methods.describe(name)
    dims = " and ".join(f"{n}D" for n in about["dims"])
    rows.append({"name": name, "title": about["title"], "images": dims})
nb.show.table(rows)

# %%
method = "resnet"
form = nb.widgets.form(nb.methods.get(method), suggest_from=train)
form

# %% [markdown]
# ## 6. Train
# Both curves should fall.

# %%
model = nb.methods.get(method)(form.value)
todo = nb.training.TrainingPlan(seed=0)
history = model.fit(train, val, plan=todo)
if history.rows:
    nb.show.training(history)

# %% [markdown]
# The model, its learning curve and its *recipe* (settings, seed, versions, a
# fingerprint of every image) go into one folder.

# %%
place = f"{folder}/model"
model.save(place)
if history.rows:
    nb.io.write_csv(f"{place}/history.csv", history.rows)
inputs = nb.data.DataSet.open(f"{folder}/crops").files()
about = {"plan": todo, "history": history, "inputs": inputs}
nb.training.write_recipe(place, model, command="workbench_classify.ipynb", **about)

# %% [markdown]
# ## 7. Score it on nuclei that it has never seen
# Beside it a forest of measurements: a network that is not better is not worth the
# effort. Which classes are confused says more than one number.

# %%
forest = nb.methods.get("feature_forest")()
forest.fit(train, val, plan=nb.training.TrainingPlan(seed=0))
scores = {}
for name, one in {method: model, "feature_forest": forest}.items():
    found = [one.predict(sample.image) for sample in test]
    scores[name] = nb.tasks.classification.evaluate_samples(test, found)
nb.show.confusion(scores[method])

# %%
nb.show.confusion(scores["feature_forest"])

# %% [markdown]
# ## 8. A table of all nuclei
# Every crop, sorted or not, with its class and how sure the model is of it.

# %%
table = []
for entry, crop in zip(crops.entries, crops, strict=True):
    found = model.predict(crop.image).result
    row = {"image": entry.columns["image"], "label": entry.columns["label"]}
    row["class"], row["probability"] = found.best[0], found.probability.max().round(3)
    table.append(row)
nb.io.write_csv(f"{folder}/nuclei.csv", table)
nb.show.table(table[:8])

# %% [markdown]
# ## 9. Take it home
# The model folder works on any machine: `nbtools crop IMAGES --out CROPS`, then
# `nbtools predict MODEL CROPS --out FOLDER` writes a table of classes.

# %%
nb.report.write(place)
nb.widgets.download(folder)

# %% [markdown]
# ## You now have
# sorted crops in `runs/workbench_classify/crops`, a trained classifier beside them, its
# confusion on unseen images next to that of a forest of measurements, and a table of
# all nuclei.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Accuracy is 0.95, and one class is never found. How can that be?
# </summary>
#
# That class is rare: always naming the others is right 19 times in 20. Look at the
# confusion, and at the balanced accuracy.
# </details>
#
# <details><summary>2. Two people sort the same crops. What do you learn from it?
# </summary>
#
# How well they agree is the most that a model trained on either can reach. Where they
# disagree often, the classes need a better definition before more crops.
# </details>
#
# <details><summary>3. Why do the crops of which the forest is least sure come next?
# </summary>
#
# An answer to what it knows already teaches it little. But they are no fair sample: to
# score, take crops that were drawn at random.
# </details>
#
# **Where next:** the same on the command line, for all your images at once:
# `nbtools crop`, `nbtools train`, `nbtools predict`,
# `nbtools evaluate --task classification`; and what the classifier sees:
# `nbtools ablate`.
