# %% [markdown]
# # 17 · Measure nuclei in 3D
#
# **You will be able to** measure volume, shape, position and chromocentres in µm, know
# which numbers to trust, and compare genotypes with the plant as the unit.
#
# 10 minutes on any computer; no graphics card, no internet connection. After NucleusJ
# (Poulet et al. 2015, doi:10.1093/bioinformatics/btu774; Dubos et al. 2020,
# doi:10.1080/19491034.2020.1845012) and TANGO (Ollion et al. 2013,
# doi:10.1093/bioinformatics/btt276), whose parameters these are.

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

measure = nb.measure.measure

# %% [markdown]
# ## 1. One row per nucleus
# We simulate a volume, so that we know the truth. Planes lie 0.5 µm apart, pixels
# 0.25 µm. The labels could as well come from a network: measuring needs labels, and for
# brightness the image.

# %%
optics = {"shape_px": (40, 112, 112), "spacing_um": (0.5, 0.25, 0.25)}
optics |= {"psf_um": (0.15,), "photons": (1000.0,), "haze": (0.0,)}
chromatin = {"dome": (0.0,), "chromocentres": (5.0,), "nucleoli": (1.0,)}
chromatin |= {"granularity": (0.08,), "background": (0.05,)}
settings = optics | chromatin | {"radius_um": (3.0,), "density": (0.2,)}
field = nb.simulate.make("nuclei3d", count=1, seed=3, settings=settings)[0]
nb.show.sample(field)

# %%
table = measure(field.label, field.image)
columns = ("label", "volume_um3", "sphericity", "sphericity_nucleusj", "flatness")
nb.show.table({name: table[name] for name in columns}, limit=6)

# %% [markdown]
# The table has more columns than are shown. *Flatness* is the middle axis over the
# shortest one, *elongation* the longest over the middle one: a ball has 1 and 1, a
# pancake is flat, a cigar elongated. *Sphericity* compares the surface with that of a
# ball of the same volume. NucleusJ gives its **cube** under the same name: 0.9 and 0.73
# are the same nucleus. Before you compare with a paper, find out which of the two it
# reports.

# %% tags=["exercise"]
cube_root = 0.73 ** (1 / 3)
question = "NucleusJ writes a sphericity of 0.73. What is it in our column?"
nb.widgets.guess(question, cube_root)

# %%
nb.show.measurements(table)

# %% [markdown]
# Every row has the label of its nucleus. One nucleus is far larger than the median.
# **Look at it before you believe it**: a large nucleus, or two that the
# segmentation merged? (Here the labels are exact: it is one nucleus, and the border of
# the image cuts it.)

# %%
largest = np.argmax(table["volume_um3"])
times = table["volume_um3"][largest] / np.median(table["volume_um3"])
print(f"The largest nucleus has {times:.1f} times the median volume.")
nb.show.highlight(field.image, field.label, labels=[table["label"][largest]])

# %% [markdown]
# ## 2. Which rows to trust
# Of a nucleus that the border cuts, neither volume nor shape can be measured: column
# `touches_border`. One with too few pixels between centre and surface has shape
# measurements that may be off by more than 5 %: column `reliable`; `unreliable` names
# them. Both stay in the table, marked; you decide what to leave out, and report it. (A
# nucleus can be both.)

# %%
cut, coarse = table["touches_border"], ~table["reliable"]
trusted = ~cut & ~coarse

# %% tags=["exercise"]
question = f"Of the {len(cut)} nuclei, how many are neither cut nor too coarse?"
nb.widgets.guess(question, trusted.sum(), unit="nuclei")

# %%
rows = {"all nuclei": len(cut), "cut by the border": cut.sum()}
rows |= {"too coarse": coarse.sum(), "left to trust": trusted.sum()}
nb.show.table([rows])

# %% [markdown]
# ## 3. Break it: forget that planes lie farther apart
# The most frequent mistake in 3D: the file has lost its spacing, and every plane counts
# as if it were as thick as a pixel is wide. **Guess**: what happens to the volume, and
# what to the shape of a ball?

# %%
cubic = (0.25, 0.25, 0.25)
wrong = measure(field.label.replace(spacing=cubic), field.image.replace(spacing=cubic))
rows = []
for spacing, one in (("0.5 x 0.25 x 0.25", table), ("0.25 x 0.25 x 0.25", wrong)):
    row = {"spacing, µm": spacing}
    for name in ("volume_um3", "flatness", "elongation", "sphericity"):
        row[name] = np.median(one[name][trusted])
    rows.append(row)

# %% tags=["exercise"]
factor = rows[1]["volume_um3"] / rows[0]["volume_um3"]
nb.widgets.guess(
    "The false volume is how many times the true one?", factor, unit="times"
)

# %%
nb.show.table(rows)

# %% [markdown]
# Half the volume, and the median nucleus has become a pancake: its flatness rises from
# 1.1 to 1.9. No error, no warning: only the spacing in the file protects you from a
# false discovery. Where it is unknown, `nbtools` leaves out all columns in µm; it never
# counts pixels as µm.
#
# ## 4. Chromocentres
# Chromocentres are bright spots of heterochromatin. A spot is a region that stands out
# from the nucleoplasm and is brighter than half of the way up to its own maximum.
# **Look first**: are spots missed, or is noise taken for spots?

# %%
spots = nb.measure.find_chromocentres(field.label, field.image)
nb.show.overlay(field.image, spots, title=f"{spots.pixels.max()} chromocentres")

# %%
table = measure(field.label, field.image, chromocentres=spots)
columns = ("chromocentres", "rhf_volume", "rhf_intensity", "chromocentre_border_um")
columns += ("shell_1", "shell_5")
nb.show.measurements(nb.measure.choose(table, trusted), columns=columns)

# %% [markdown]
# `rhf_volume` and `rhf_intensity` are the *relative heterochromatin fractions*: the
# share of the nucleus's volume, and of its light, that lies in chromocentres. `shell_1`
# to `shell_5` are the shares of the light in five shells of equal volume, from the
# border inwards: 0.2 each if the dye is spread evenly. The outermost shell holds less
# here, a median of 0.15: blur carries its light out of the nucleus.
#
# **Exercise.** A poorer microscope: in section 1, change `psf_um` from 0.15 to 0.3 (the
# width of the blur in µm), and run from there to here. What becomes of the
# chromocentres? (Put 0.15 back afterwards.)
#
# <details><summary>Solution</summary>
#
# Two of the 41 are left. Spots smaller than the blur run together with the nucleoplasm,
# and none stands out any more. No program can count what the microscope has not
# resolved; and a mutant imaged with a poorer lens has "fewer chromocentres".
# </details>

# %% [markdown]
# ## 5. A mutant, and eight plants of each line
# Now the question of a paper: are the nuclei of the mutant larger and flatter? We put
# the answer in: **10 % larger**, and more stretched. As in life, plants of one line
# differ too. We image one field per plant, and keep the nuclei that the border does not
# cut. (Below, `lines` holds the mean radius in µm and the elongation of each line.)

# %%
crowd = optics | {"shape_px": (40, 96, 96), "count": 14, "cut": 0.0}
crowd |= {"clustering": (0.0,), "squeeze": (0.0,), "radius_spread": (0.05,)}
lines = {"wild type": (3.0, 1.2), "mutant": (3.0 * 1.1 ** (1 / 3), 1.6)}
rng, tables = np.random.default_rng(17), []
for line, (radius, elongation) in lines.items():
    for plant in range(8):
        radius_um = radius * rng.normal(1, 0.025)  # plants of one line differ
        settings = crowd | {"radius_um": (radius_um,), "elongation": (elongation,)}
        seed = len(tables)
        one = nb.simulate.make("nuclei3d", count=1, seed=seed, settings=settings)[0]
        nuclei = measure(one.label, solidity=False)
        tables.append(nuclei | {"line": line, "plant": plant})
study = nb.measure.stack(tables)
study = nb.measure.choose(study, ~study["touches_border"])

# %%
nb.show.groups(study, "volume_um3", group="line", unit="plant")

# %% [markdown]
# Small dots are nuclei, discs are plants. The interval is that of the **plants**:
# another eight plants of each line would give another difference, and 95 % of such
# intervals contain the true one (of fewer than six plants, nobody can see whether that
# promise holds). This one contains our 10 % (about 11 µm³), and it contains 0 as well:
# eight plants are too few to be certain of a difference that *is* there. That is what
# an honest interval looks like.

# %%
columns = ["volume_um3", "flatness", "sphericity"]
compared = nb.metrics.statistics.compare_groups(
    study, columns, group="line", unit="plant", method="mixed"
)
nb.show.group_table(compared)

# %% [markdown]
# A *mixed model* estimates the same difference in another way: a mean per line, a
# deviation per plant and one per nucleus; plants with many nuclei count more. Three
# columns are three chances of a lucky result: Holm's p takes that into account.
#
# **Exercise.** Twice as many plants: change `range(8)` to `range(16)` in the cell that
# makes the study, run on to here, and look at the figure. How wide is the interval now,
# and does it still contain 0?
#
# <details><summary>Solution</summary>
#
# With 8 plants of each line the interval in the figure reaches from -4 to 24 µm³, with
# 16 from 3 to 21: two thirds as wide, as the square root of two promises, and 0 lies
# outside. The true difference, about 11, lies inside both.
# </details>

# %% [markdown]
# ## 6. Break it: the nucleus as the unit
# More than ninety nuclei per line instead of eight plants: what a lot of data!
# **Guess** what happens to the interval.

# %%
nb.show.groups(study, "volume_um3", group="line", unit=None)

# %% [markdown]
# Much narrower, and "highly significant". There is a difference this time: we put it
# in. But what would the analysis report if there were none? Test it: bring both lines
# to the same mean, assign the plants to two groups at random, a thousand times, and
# count how often each analysis reports "significant" at p < 0.05.
#
# **Exercise.** Guess before you run the cell: there is no difference between these
# lines. How often will 185 nuclei report one at p < 0.05, if they count as independent?
#
# <details><summary>Solution</summary>
#
# In 38 % of cases, the second row of the table; 5 % are promised.
# </details>

# %%
alarms = nb.metrics.statistics.count_false_alarms(
    study, "volume_um3", group="line", unit="plant"
)
rows = [
    {"unit": "plant", "false alarms, %": 100 * alarms["by_unit"]},
    {"unit": "nucleus", "false alarms, %": 100 * alarms["by_nucleus"]},
]
nb.show.table(rows)

# %% [markdown]
# With plants as the unit, one time in twenty, as p < 0.05 promises. With nuclei, many
# times as often: nuclei of one plant are alike, and counting them as
# independent is *pseudo-replication* (Lord et al. 2020, doi:10.1083/jcb.202001064).
# More nuclei do not help. **More plants do.**
#
# ## You now have
# a table in µm of which you know what to trust, chromocentres that you have looked at,
# and a comparison that is about plants, not about the nuclei of a few. On the command
# line: `nbtools measure LABELS --images IMAGES --chromocentres --spots spots --out
# nuclei.csv`.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. You can image 200 nuclei in all: 100 from each of 2 plants, or 20
# from each of 10?</summary>
#
# Twenty from each of ten. With two plants there is one degree of freedom per line, and
# no number of nuclei makes up for it. Twenty nuclei already give the mean of a plant
# well; what you do not know is how plants differ.
# </details>
#
# <details><summary>2. The mutant's chromocentres are 8 % smaller, but its images were
# taken on another microscope. Do you believe it?</summary>
#
# No. A spot as small as a chromocentre is measured together with the blur, and another
# microscope has another blur. Image both lines on one microscope, with the same
# settings, best on one slide, and in turn.
# </details>
#
# <details><summary>3. You leave out all nuclei that touch the border. Is what is left
# still a fair sample?</summary>
#
# Not quite: large nuclei touch the border more often, so the mean volume comes out a
# little low. For a comparison that hardly matters, as long as both lines lose nuclei in
# the same way; for an absolute volume use a field much larger than a nucleus.
# </details>
#
# **Where next:** is the segmentation good enough to measure? Lesson 16. The same on
# your images: `workbench_segment`.
