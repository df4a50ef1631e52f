# %% [markdown]
# # Workbench · Denoise your own images
#
# **You will be able to** denoise your own images with any restoration method of
# `nbtools`, with clean partners or without, see what was removed, and take the model
# and its results home.
#
# No lesson text here; lessons 07 and 08 explain. Every form is filled in with a valid
# answer, so *Run all* works and shows the way with simulated nuclei. Minutes on two
# processor cores; on Colab choose *Runtime > Change runtime type > T4 GPU* for serious
# training.

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
# A folder of noisy images, raw, as the camera gave them; clean partners, if you have
# them, in `clean/` beside `images/`, under the same names. A single image, a z-stack or
# a movie is enough. On Colab, `nb.runtime.mount_drive()` brings your Google Drive here;
# what you train is then kept there, too. Without it, all is gone with the machine.

# %%
chosen = nb.widgets.pick_data(samples="simulated_pairs")
chosen

# %%
images = chosen.value
nb.show.images(images)

# %% [markdown]
# ## 2. Can a blind spot work here?
# Methods without clean partners need noise that neighbouring pixels do not share: the
# lines should drop into the grey band at once. If they do not, the text says what to
# do.

# %%
noisy = images.image(0)
warning = nb.metrics.noise.judge_noise(noisy)
print(warning or "Neighbouring pixels share no noise: every method may be used.")
nb.show.correlations(noisy)

# %% [markdown]
# ## 3. Choose and set a method
# Without clean partners: `n2v`, `pn2v`, `deconoising`, or `nlm`, which does not learn.
# With them: `care`, `rcan`. Change the name, and run the cell again. With clean
# partners some images are kept for the scores; without, the method learns from the very
# images that it denoises, which is allowed.

# %%
method = "n2v"
train, val, test = images, None, images
if images.has("clean"):
    train, val, test = images.split(val=0.15, test=0.25, seed=0)
form = nb.widgets.form(nb.methods.get(method), suggest_from=train)
form

# %% [markdown]
# ## 4. Train
# *Stop* keeps the best weights so far, *Resume* continues from there; then run the
# cells below again. The next cell waits until the training has ended.
#
# The first line says where the run lies, and what a disconnect or a restart costs. A
# run that broke off is found again, also by a fresh machine where your Google Drive is
# mounted: *Run all*, with the same images and settings, goes on with it.

# %%
model = nb.methods.get(method)(form.value)
plan = nb.training.plan_run("workbench_denoise", model, train=train, val=val)
print(nb.training.describe_place(plan))

# %%
live = nb.widgets.train_live(model, train, val=val, plan=plan)
live

# %%
history = live.history
nb.show.training(history) if history.rows else print("Nothing had to be learned.")

# %% [markdown]
# The model, its learning curve and its *recipe* (settings, seed, versions, a
# fingerprint of every image) go into one folder.

# %%
folder, inputs = plan.folder / "model", train.files()
model.save(folder)
nb.io.write_csv(folder / "history.csv", history.rows)
command = "workbench_denoise.ipynb"
nb.training.write_recipe(
    folder, model, plan=plan, history=history, inputs=inputs, command=command
)

# %% [markdown]
# ## 5. Look: what was removed?
# Drag the line. Then look at the difference: it must look like noise, and show nothing
# of the nuclei. Where it shows them, structure is lost.

# %%
restored = model.predict(test.image(0))
nb.widgets.compare_slider(test.image(0), restored)

# %%
nb.show.restored(test.image(0), restored)

# %% [markdown]
# ## 6. Score
# Compare with the classical method, *non-local means*; with scores where there is a
# clean partner. (The range of the PSNR is that of the clean image.)

# %%
results = {method: restored}
results["non-local means"] = nb.methods.load("nlm").predict(test.image(0))
nb.show.restored(test.image(0), results, clean=test[0].clean)

# %% [markdown]
# ## 7. Take it home
# One image here; all of them on the command line:
# `nbtools predict MODEL IMAGES --out FOLDER`, with `--dtype input` for files of the
# same type as yours. The report says what was done, and with which settings.

# %%
name = test.names[0]
nb.io.write_image(plan.folder / "restored" / f"{name}.tif", restored.image)
nb.report.write(folder)

# %%
nb.widgets.download(folder)

# %% [markdown]
# ## You now have
# a trained model in the folder `model` of the run, a denoised image beside it, a
# picture of what was removed, and a report.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. The difference shows the outlines of your nuclei. What does that
# mean?</summary>
#
# Edges are smoothed: the network cannot predict them from the surroundings. Train
# longer, take more images, or use the raw image for what you measure at edges.
# </details>
#
# <details><summary>2. The denoised image shows fine stripes that the raw one hardly
# has. Why?</summary>
#
# Neighbouring pixels share their noise along the stripes, so a blind spot takes it for
# signal. Section 2 shows along which axis: use `n2v` with `variant = struct` and that
# `line_axis`.
# </details>
#
# <details><summary>3. May you denoise new images with this model?</summary>
#
# Yes, if they were taken in the same way: same kind of sample, magnification, exposure
# and camera. `nbtools predict` warns where the grey values are far from those of
# training. When in doubt, train again on the new ones: it costs minutes.
# </details>
#
# **Where next:** find the nuclei in what you have restored: `workbench_segment`. All
# images at once: `nbtools train`, `nbtools predict`.
