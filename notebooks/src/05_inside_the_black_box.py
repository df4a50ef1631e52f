# %% [markdown]
# # 05 · Inside the black box
#
# **You will be able to** say what a network computes, what it learns and how: build a
# model of two weights by hand, walk it down its loss, compute convolution, activation
# and pooling with a pencil, let Keras do the same, and look at what a small network
# sees in a nucleus.
#
# 15 minutes on any computer; no graphics card, and no mathematics beyond a sum. This
# lesson puts Figures 1 and 2 of the review into practice (Mougeot et al. 2022,
# doi:10.1242/jcs.258986).

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

keras = nb.runtime.load_quietly("keras")
from nbtools.inference import explanation

# %% [markdown]
# ## 1. A question with two answers
# Here are nuclei of two plant lines, simulated so that we know the truth: *wild type*,
# and a *mutant* whose nuclei are smaller on average and have fewer bright spots. (The
# mutant is invented.) Cover the titles with your hand. **Which ones are mutants?**

# %%
nuclei = nb.simulate.wild_type_and_mutant(count=400, seed=0)
nb.show.images(nuclei, columns=8, limit=16)

# %% tags=["exercise"]
mutants = sum(sample.class_name == "mutant" for sample in nuclei[:16])
nb.widgets.guess("How many of these sixteen are mutants?", mutants, unit="of 16")

# %% [markdown]
# A computer sees numbers. We measure two **features** of each nucleus: its area, and
# its contrast (the spread of its grey values over their mean: spots raise it). The
# answer is a number, too: 1 for mutant, 0 for wild type.

# %%
images, features, answers = [], [], []
for sample in nuclei:
    row = nb.measure.measure(sample.label, sample.image)
    images.append(sample.image.pixels[..., None] / 1000)
    features.append([row["area_um2"][0], row["std_0"][0] / row["mean_0"][0]])
    answers.append(sample.class_name == "mutant")
images, features, answers = map(np.array, (images, features, answers))
features = (features - features.mean(axis=0)) / features.std(axis=0)

# %% [markdown]
# The last line puts both features on one scale: 0 is the mean, 1 is one standard
# deviation above it. That is **pre-processing**.
#
# ## 2. A weighted sum and a threshold
# The simplest **model** multiplies each feature by a **weight**, adds up, and answers
# "mutant" where the sum is above a **threshold**. That is all. Move the weights until
# as many nuclei as possible are right: mutants are triangles, and on the tinted side
# the model answers "mutant". **Guess first**: should the weights be above or below 0?
#
# **Exercise.** Before you move the sliders: are the weights of area and contrast both
# above 0, both below 0, or one of each?
#
# <details><summary>Solution</summary>
#
# Both below 0: of two nuclei, the one of smaller area and contrast is more probably the
# mutant.
# </details>

# %%
names = ("area", "contrast", "wild type", "mutant")
tool = nb.widgets.weigh(features, answers, names=names)
tool

# %% [markdown]
# The weights are the model's **parameters**: the buttons inside the black box. A sum
# with its weights is a **layer**, and since the weights can be changed it is a
# *trainable* one. The threshold that follows has nothing to train: a layer that decides
# is an **activation**. The review's Figure 1A is this model.
#
# ## 3. How wrong is it? The loss
# "Right or wrong" is a poor guide: move a weight a little, and often nothing changes.
# So we ask for a probability instead. The **sigmoid** squeezes the sum between 0 and 1,
# and the **loss** (here *cross-entropy*) asks how improbable the right answer was.
# Unlike the share of right answers, it notices every change.

# %%
rows = []
for weights in ([0.0, 0.0], [-1.0, 0.0], [-1.0, -1.0], [1.0, 1.0]):
    probability = nb.by_hand.sigmoid(features @ weights)
    of_the_truth = np.where(answers, probability, 1 - probability)
    right = np.mean((probability > 0.5) == answers)
    rows.append({"weights": str(weights), "right": right})
    rows[-1]["loss"] = -np.log(of_the_truth).mean()
nb.show.table(rows)

# %% [markdown]
# A model with no opinion gives 0.5 to everything: its loss is -log 0.5 = 0.69. A higher
# loss than that is worse than knowing nothing.
#
# **Exercise.** A good model gives a probability of 0.9 to the right answer every time.
# What is its loss? Guess, then compute it: in a new cell, `-np.log(0.9)`.
#
# <details><summary>Solution</summary>
#
# -log 0.9 = 0.105. One single answer with 0.01 for the truth costs -log 0.01 = 4.6,
# more than forty good ones: the loss punishes a model that is sure and wrong.
# </details>

# %% tags=["exercise"]
nb.widgets.guess("The loss at 0.9 for the right answer?", -np.log(0.9))

# %% [markdown]
# ## 4. Gradient descent: blindfolded on a hillside
# Every pair of weights is a place in a landscape, and the loss is its height. You stand
# there blindfolded and want to get down. So you feel with your foot in which direction
# the ground rises (the **gradient**), take a step the other way, and feel again. The
# length of the step is gradient x **learning rate**. **Guess first**: what does the
# path look like at a rate of 0.001, and at 1,000? Then move the slider.
#
# **Exercise.** At a learning rate of 1,000 the path … Choose: "leads to the bottom at
# once", "hardly leaves its place" or "jumps across the valley".
#
# <details><summary>Solution</summary>
#
# "jumps across the valley". A step that long ignores where the bottom is.
# </details>

# %%
hillside = nb.widgets.descend(features, answers)
hillside

# %% [markdown]
# By hand, a step is three lines: the error of each nucleus; the gradient, which is the
# mean of error x feature; and the step. Nobody has programmed the answer: it follows
# from examples. That is **learning**, or **training**.

# %%
weights, learning_rate = np.zeros(2), 1.0
for _step in range(50):
    error = nb.by_hand.sigmoid(features @ weights) - answers
    gradient = features.T @ error / len(features)
    weights = weights - learning_rate * gradient
print(f"weights after 50 steps: {weights.round(3)}")

# %% [markdown]
# ## 5. Break it: the wrong learning rate
# Fifty steps from the same place (both weights 0), at three learning rates.
#
# **Exercise.** Guess before you run the cell: it begins at 0.69. What is the loss after
# 50 steps at a rate of 0.001?
#
# <details><summary>Solution</summary>
#
# 0.68, in the first row of the table. Steps that short do not arrive.
# </details>

# %%
rows = []
for rate in (0.001, 1.0, 1000.0):
    way = nb.by_hand.descend(features, answers, learning_rate=rate, steps=50)
    rows.append({"learning rate": rate, "loss before": way.losses[0]})
    rows[-1] |= {"after 1 step": way.losses[1], "after 50": way.losses[50]}
nb.show.table(rows)

# %% [markdown]
# Too short a step hardly leaves its place. Too long a step jumps over the valley and
# lands far higher than it began, and the next ones jump back and forth. The weights are
# parameters, found by training. The learning rate is a **hyperparameter**: you choose
# it, no training does.
#
# ## 6. The same in Keras
# **Keras** is a library that does this for models of any size. `Dense(1)` is a weighted
# sum; **SGD** is gradient descent, the *optimizer*. One round through all examples is
# an **epoch**; a **batch** is what one step looks at. Here the batch is everything, so
# an epoch is one step.

# %%
model = keras.Sequential([keras.Input((2,))])
model.add(keras.layers.Dense(1, activation="sigmoid", use_bias=False))
model.set_weights([np.zeros((2, 1))])
model.compile(keras.optimizers.SGD(1.0), loss="binary_crossentropy")
model.fit(features, answers, epochs=50, batch_size=400, verbose=0)
print(f"Keras:   {model.get_weights()[0].ravel().round(3)}")
print(f"by hand: {weights.round(3)}")

# %% [markdown]
# **Exercise.** Change `batch_size=400` to 100, and run the cell again. Each step sees a
# quarter of the nuclei: how many steps has an epoch now? And are the weights still
# those made by hand? (Put 400 back afterwards.)
#
# <details><summary>Solution</summary>
#
# Four. There are 200 steps in place of 50, so the weights have gone further down the
# valley than by hand: Keras counts epochs, the valley counts steps.
# </details>

# %% tags=["exercise"]
nb.widgets.guess("Steps per epoch with batches of 100?", 400 / 100, unit="steps")

# %% [markdown]
# ## 7. From features to pixels: convolution
# We chose area and contrast. **Deep learning** finds its features itself, in the
# pixels. Its main layer is the **convolution**: a small window of weights, the
# **kernel**, slides over the image; each place gives one weighted sum. This kernel
# asks: is it brighter on the right than on the left? Take a pencil and compute the
# framed window, then the three others. After it come an activation, **ReLU** (below 0
# becomes 0), and **pooling** (of each block, the largest value): the review's Figure 2.
#
# **Exercise.** Guess before you run the cell: what is the weighted sum of the upper
# left 3 x 3 window?
#
# <details><summary>Solution</summary>
#
# The right column minus the left one: (2 + 8 + 9) - (0 + 0 + 1) = 18.
# </details>

# %%
image = np.array([[0, 1, 2, 9], [0, 0, 8, 9], [1, 7, 9, 1], [6, 9, 2, 0]])
kernel = np.array([[-1, 0, 1]] * 3)
convolved = nb.by_hand.convolve(image, kernel)
activated = nb.by_hand.relu(convolved)
pooled = nb.by_hand.max_pool(activated)
print(image, kernel, sep="\n\n")
print("framed window:", np.sum(image[:3, :3] * kernel))
steps = {"image": image, "kernel": kernel, "convolution": convolved}
steps |= {"ReLU": activated, "pooling": pooled}
nb.show.numbers(steps, mark=(0, 0, 3, 3))

# %% [markdown]
# Nine weights serve the whole image: what a kernel has learned in one corner it knows
# everywhere. The image that comes out is a **feature map**. On a nucleus:

# %%
nucleus = nuclei[0].image.pixels
spot = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
maps = {"nucleus": nucleus, "brighter right": nb.by_hand.convolve(nucleus, kernel)}
maps["brighter than around"] = nb.by_hand.convolve(nucleus, spot)
nb.show.images(maps)

# %% [markdown]
# ## 8. A network
# Nobody sets kernels by hand. A **convolutional network** (CNN) stacks convolution,
# activation and pooling, and learns all kernels together by gradient descent. The
# gradient goes back through the layers, from the loss to the first kernel
# (**backpropagation**). Layers that make the image smaller and its features richer are
# an **encoder**; the last weighted sum decides. 280 nuclei are learned from, 120 are
# kept apart as **validation** images. A batch is 20 nuclei, so an epoch has 14 steps.
#
# **Exercise.** Guess before you run the cell: the two features get most of 120 nuclei
# right. Will the network get more, or fewer?
#
# <details><summary>Solution</summary>
#
# Read the first two lines that the cell prints; with another seed they differ by a few
# nuclei.
# </details>

# %%
keras.utils.set_random_seed(0)
layers = keras.layers
network = keras.Sequential([keras.Input((32, 32, 1))])
for filters in (8, 16):
    network.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
    network.add(layers.MaxPooling2D())
network.add(layers.GlobalAveragePooling2D())
network.add(layers.Dense(1, activation="sigmoid"))
how = {"loss": "binary_crossentropy", "metrics": ["accuracy"]}
network.compile(keras.optimizers.Adam(0.01), **how)
parts = {"validation_data": (images[280:], answers[280:]), "verbose": 0}
history = network.fit(images[:280], answers[:280], batch_size=20, epochs=30, **parts)
by_features = np.mean((features[280:] @ weights > 0) == answers[280:])
print(f"Right, of 120 nuclei kept apart: {history.history['val_accuracy'][-1]:.0%}")
print(f"The two features of section 6:   {by_features:.0%}")
print(f"Parameters: {network.count_params()}")

# %% [markdown]
# The network has found features of its own, and they are better than our two (whose
# weights have even seen these 120 nuclei). It had to: nobody told it of spots.
#
# ## 9. Break it: learn by heart
# A second network has no convolution: a layer of 64 weighted sums, each with a weight
# of its own for every pixel. It gets ten nuclei only. **Guess first**: how low will its
# loss get on these ten, and on the nuclei kept apart?
#
# **Exercise.** Guess before you run the cell: no opinion costs 0.69. What is the loss
# on the 120 nuclei kept apart, after 60 epochs?
#
# <details><summary>Solution</summary>
#
# Read the right end of the orange curve in its panel: worse than no opinion is
# possible, for a network that is sure and wrong.
# </details>

# %%
pixels = keras.Sequential([keras.Input((32, 32, 1)), layers.Flatten()])
pixels.add(layers.Dense(64, activation="relu"))
pixels.add(layers.Dense(1, activation="sigmoid"))
pixels.compile(keras.optimizers.Adam(0.003), **how)
by_heart = pixels.fit(images[:10], answers[:10], batch_size=10, epochs=60, **parts)
print(f"{pixels.count_params()} parameters, 10 nuclei")
curves = {"small CNN, 280 nuclei": history.history}
nb.show.learning_curves(curves | {"a weight per pixel, 10": by_heart.history})

# %% [markdown]
# Right: the loss of the ten falls to almost nothing, that of the others is worse than
# no opinion (0.69). The network has learned ten nuclei by heart: **overfitting**. Left:
# both losses fall together; in its first epochs both are high, it has learned too
# little: **underfitting**. So *always look at both curves*. Remedies for the right one:
# more nuclei, more views of each (**augmentation**, lesson 04), fewer parameters, and
# stopping where the validation loss is lowest. The words once more:
#
# | word | here |
# | --- | --- |
# | parameter | what training sets: 2 weights in section 6, over a thousand in section 8 |
# | hyperparameter | what you set: learning rate, batch size, epochs, number and size of kernels |
# | batch, step | 20 nuclei; one batch is one step, one change of all parameters |
# | epoch | 14 steps of 20: each of the 280 nuclei once |
# | loss, gradient | how wrong; and in which direction it rises |
#
# ## 10. Look inside
# The eight kernels of the first layer (orange weights count for, blue ones against),
# and what they make of one nucleus.

# %%
nb.show.kernels(explanation.kernels(network))

# %%
nb.show.feature_maps(explanation.feature_maps(network, images[6]))

# %% [markdown]
# All maps have one grey range. Dark maps are not broken: they have nothing to say about
# this nucleus. Nobody has asked for edges or spots; which kernel became what is chance,
# and another seed gives others.
#
# **Exercise.** Try it: change `set_random_seed(0)` to 1 in section 8, and run from
# there to here. What is the same, and what is not?
#
# <details><summary>Solution</summary>
#
# The eight kernels are others, or the same in another order; the share of right nuclei
# is about as high. Many sets of kernels do the same work. So never read a meaning into
# "kernel 3" before you have seen a second seed.
# </details>

# %% [markdown]
# ## 11. What does it look at?
# **Occlusion** covers the image bit by bit and asks how much the probability of
# "mutant" falls: orange speaks for mutant, blue against it. **Grad-CAM** weighs the
# feature maps of the last convolution by how much the score rises with them: what
# speaks for mutant, coarsely. A map shows something in any case, so we compare it
# with that of a network that has learned nothing. This nucleus is a wild type.

# %%
maps = {"occlusion": explanation.occlusion(network, images[0], size=5, step=1)}
maps["Grad-CAM"] = explanation.grad_cam(network, images[0])
untrained = keras.models.clone_model(network)
maps["untrained"] = explanation.occlusion(untrained, images[0], size=5, step=1)
nb.show.explained(images[0][..., 0], maps)

# %% [markdown]
# The bright spot speaks against mutant: cover it, and the nucleus looks more like one.
# Read the numbers over the maps, too: what covering changes in the untrained network is
# a small fraction of that. And Grad-CAM lights the background. Perhaps because a
# smaller nucleus leaves more of it, and mutants are small: how would you test that? A
# map tells where a network looks, never why, and a plausible map is no proof: it is a
# reason to test.
#
# **Exercise.** Cover more at a time: change `size=5` to `size=15` in the first line of
# the cell above, and run it again. What does the map gain, and what does it lose?
#
# <details><summary>Solution</summary>
#
# A larger cover hides several spots and part of the outline together, so the
# probability changes more; but the map is coarser, and no longer says which of them it
# was.
# </details>

# %% [markdown]
# ## You now have
# a model of two weights that you trained by hand, the same in Keras, a convolution by
# pencil, a small network with its curves, and three ways to look inside. Every word in
# bold is in the glossary (its link is at the head of each lesson), with those that
# later lessons use.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. Where do the 1,265 parameters of the network come from?</summary>
#
# First layer: 8 kernels of 3 x 3 weights and a bias each, 8 · (9 + 1) = 80. Second
# layer: 16 kernels that read all 8 maps, 16 · (9 · 8 + 1) = 1,168. The last sum: 16
# weights and a bias, 17. Pooling and activation have none.
# </details>
#
# <details><summary>2. Your training loss is 0.01, your validation loss 0.9 and rising.
# What do you change?</summary>
#
# It is learning by heart. More labelled images help most, then augmentation, a smaller
# network, and keeping the weights of the epoch with the lowest validation loss (which
# every method of this course does). A longer training makes it worse.
# </details>
#
# <details><summary>3. All your mutants were recorded on Mondays, when the lamp was
# brighter. What will the network learn?</summary>
#
# Mondays. It takes whatever lowers the loss, and brightness is easier than spots. Its
# validation images come from the same days, so the score is splendid, and wrong. Divide
# by day, plant or slide (lesson 02), and look at what the network looks at.
# </details>
#
# **Where next:** the same parts, grown into a network that finds every nucleus: lesson
# 09; the words of all lessons: the glossary.
