# %% [markdown]
# # 20 · Follow nuclei
#
# **You will be able to** link the nuclei of a movie into tracks, count divisions, read
# a lineage, and say when tracks must not be believed.
#
# 5 minutes on any computer; no graphics card, no internet connection. Linking after
# Jaqaman et al. 2008 (doi:10.1038/nmeth.1237), by laptrack (Fukai & Kawaguchi 2023,
# doi:10.1093/bioinformatics/btac799).

# %% cellView="form" tags=["skip-execution"]
# @title Install (on Colab; elsewhere this does nothing) { display-mode: "form" }
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic(
        "pip", 'install "nbtools[track] @ git+https://github.com/OWNER/REPOSITORY"'
    )

# %%
import nbtools as nb

# %% [markdown]
# ## 1. A movie with a known answer
# We simulate nuclei that wander, grow and divide, so that we know every track. A
# *track* is one nucleus from frame to frame; after a division each daughter begins a
# track of its own, with the mother as its *parent*.

# %%
settings = {"frames": 24, "cycle_frames": 22.0, "count": 18, "shape_px": (192, 192)}
settings |= {"photons": (200.0,), "radius_um": (5.0,), "step_um": 3.0}
movie = nb.simulate.make("movie", count=1, seed=20, settings=settings)[0]
true = nb.tracking.from_labels(movie.label, parents=movie.lineage, tracked=True)

# %% tags=["exercise"]
question = "18 nuclei, 24 frames, about 22 frames from one division to the next?"
nb.widgets.guess(f"How many divisions? {question}", true.divisions, unit="divisions")

# %%
print(f"{len(true.numbers)} tracks, {true.divisions} divisions")
nb.show.tracks(movie.image, true, at=(0, 12, 23))

# %% [markdown]
# The line behind a nucleus is the way it came in the last eight frames; a ring marks
# one that was born in this very frame.
#
# ## 2. Find the nuclei, frame by frame
# Tracking begins with segmentation, and inherits its mistakes: two nuclei that are
# merged in one frame cannot be told apart there by any linking.

# %%
model = nb.methods.load("nuclei2d")
found = model.predict(movie.image).labels
counts = [int(frame.pixels.max()) for frame in found.frames()]

# %% tags=["exercise"]
question = f"{counts[0]} nuclei are found in the first frame. In the last?"
nb.widgets.guess(question, counts[-1], unit="nuclei")

# %%
print(f"nuclei found per frame: {counts[0]} in the first, {counts[-1]} in the last")
nb.show.overlay(movie.image.select(T=12), found.select(T=12))

# %% [markdown]
# ## 3. Link them
# Between two frames, each nucleus is linked to at most one of the next frame, so that
# all links *together* are as short as possible. Then ends are joined to beginnings:
# across a frame in which a nucleus was missed, and, where one becomes two that together
# are about as large, as a division. How far a nucleus may move is measured in the
# movie.

# %%
nuclei = nb.tracking.from_labels(found)

# %% tags=["exercise"]
question = "Nuclei have a radius of 5 µm. How far may one move between two frames?"
nb.widgets.guess(question, nb.tracking.find_reach(nuclei), unit="µm")

# %%
print(f"links up to {nb.tracking.find_reach(nuclei):.1f} µm")
tracks = nb.tracking.link(nuclei)
nb.show.tracks(movie.image, tracks, at=(0, 12, 23))

# %%
nb.show.lineage(tracks)

# %% [markdown]
# Time runs to the right; each line is a track, and a vertical stroke a division.
#
# ## 4. Is it right?
# TRA is 1 less the cost of mending the tracks, over the cost of making them from
# nothing (Matula et al. 2015, doi:10.1371/journal.pone.0144959): a missed nucleus costs
# 10, a missing link 1.5. DET is the same without links, SEG the mean IoU of nuclei.

# %%
scores = nb.tracking.score(movie.label, found, true=true, tracks=tracks)

# %% tags=["exercise"]
question = f"Of {scores['divisions_true']} divisions, how many are found in place?"
nb.widgets.guess(question, scores["divisions_right"], unit="divisions")

# %%
row = {name.upper(): round(scores[name], 3) for name in ("tra", "det", "seg")}
row |= {"divisions": scores["divisions_true"], "found": scores["divisions_found"]}
row |= {"right": scores["divisions_right"]}
nb.show.table([row])

# %% [markdown]
# ## 5. Break it: take fewer frames
# Fewer frames bleach less. **Guess**: how many can be left out before the tracks are
# wrong? We link the *true* labels, so that nothing but the linking can fail.

# %%
rows = []
for step in (1, 2, 4, 8):
    pixels = movie.label.pixels[::step]
    fewer = movie.label.replace(pixels=pixels, interval_s=300.0 * step)
    truth = nb.tracking.from_labels(fewer, tracked=True)
    again = nb.tracking.link(nb.tracking.from_labels(fewer))
    one = nb.tracking.score(fewer, fewer, true=truth, tracks=again)
    links = len(truth.edges())
    right = 1 - (one["links_missing"] + one["links_wrong"]) / max(links, 1)
    rows.append({"every": step, "true links": links, "of these found": round(right, 2)})

# %% tags=["exercise"]
question = "Only every eighth frame is kept. Which share of the links is found?"
nb.widgets.guess(question, 100 * rows[-1]["of these found"], unit="%")

# %%
nb.show.table(rows)

# %% [markdown]
# Nothing warns you: a nucleus that has moved farther than its neighbour lies away is
# linked to the neighbour, and the track looks as smooth as any. **The rule of thumb:**
# from frame to frame a nucleus should move by less than half the distance to its
# nearest neighbour. Measure both before you choose the interval of a long movie.

# %%
rows = []
for step in (1, 2, 4, 8):
    moment = movie.label.replace(pixels=movie.label.pixels[::step])
    apart, moved = nb.tracking.measure_steps(
        nb.tracking.from_labels(moment, tracked=True)
    )
    rows.append({"every": step, "moved, µm": moved, "neighbour, µm": apart})
nb.show.table(rows)

# %% [markdown]
# ## 6. Your own movie
# On the command line, in two steps; `tracks/NAME.csv` has a row per nucleus and frame,
# `NAME.xml` opens in TrackMate, and `--ctc` writes the format of the Cell Tracking
# Challenge.
#
# ```
# nbtools predict nuclei2d my_movies --out found
# nbtools track found --out tracks
# ```
#
# In TrackMate tracks can be corrected by hand, which is worth it where a few divisions
# are the result of the paper. Movies of volumes, with axes `TZYX`, work in the same
# way.

# %% tags=["exercise"]
nb.widgets.ask(
    "You want to correct a division by hand. Which file do you open?",
    {
        "tracks/NAME.csv": "A table: a row per nucleus and frame, to compute with.",
        "tracks/NAME.xml": "TrackMate opens it; there tracks are cut and joined.",
        "found/NAME.tif": "The labels of each frame: they know no tracks.",
    },
    right="tracks/NAME.xml",
)

# %% [markdown]
# ## You now have
# a movie whose nuclei are linked into tracks, its lineage, three scores against the
# truth, and an interval between frames that you can defend. The review names DeepCell's
# Mesmer for tracking; what matters first is here: how well nuclei are found, and how
# often they are looked at.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. A nucleus is missed in every third frame. What happens to its
# track?</summary>
#
# Nothing, as long as gaps of one frame are allowed and nothing else comes near: the
# piece before and the piece after are joined. Missed in two frames running, it begins
# a new track, unless `--gap 2` is given.
# </details>
#
# <details><summary>2. Your table counts 40 divisions per hour. How do you find out
# whether to believe it?</summary>
#
# Look at ten of them in TrackMate. A nucleus that comes out from below another one, or
# that was merged with its neighbour for a frame, looks like a division; linking takes
# only those for one in which the two are together about as large as the one before.
# </details>
#
# <details><summary>3. TRA is 0.99. Are the tracks right?</summary>
#
# Most links are. But a track of a hundred frames has a hundred links: if one in a
# hundred is wrong, hardly a track is right from its first frame to its last. Ask how
# many tracks are whole, not only how many links are right.
# </details>
#
# **Where next:** `17_measure_nuclei`: the table of a movie has the column `frame`, so
# that a volume can be followed as a nucleus is.
