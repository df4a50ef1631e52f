# %% [markdown]
# # 17 · Measure nuclei in 3D
#
# **You will be able to** measure volume, shape, position and chromocentres in µm, tell
# which numbers to trust, and compare genotypes with the plant as the unit.
#
# 10 minutes on any computer; no graphics card, no network. After NucleusJ (Poulet et
# al. 2015, doi:10.1093/bioinformatics/btu774; Dubos et al. 2020,
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
# ## 1. One row a nucleus
# A simulated volume, so that we know the truth. Planes lie 0.5 µm apart, pixels
# 0.25 µm. Its labels could as well come from a network: measuring needs labels, and for
# brightness the image.

# %%
optics = {
    "shape_px": (40, 112, 112),
    "spacing_um": (0.5, 0.25, 0.25),
    "psf_um": (0.15,),
    "photons": (1000.0,),
    "haze": (0.0,),
}
chromatin = {
    "dome": (0.0,),
    "chromocentres": (5.0,),
    "nucleoli": (1.0,),
    "granularity": (0.08,),
    "background": (0.05,),
}
field = nb.simulate.make(
    "nuclei3d",
    count=1,
    seed=3,
    settings=optics | chromatin | {"radius_um": (3.0,), "density": (0.2,)},
)[0]
nb.show.sample(field)

# %%
table = measure(field.label, field.image)
nb.show.table(
    nb.measure.choose({name: table[name] for name in list(table)[1:13]}, np.arange(6))
)

# %% [markdown]
# *Flatness* is the middle over the shortest axis, *elongation* the longest over the
# middle one: 1 and 1 is a ball, a pancake is flat, a cigar elongated. *Sphericity*
# compares the surface with that of a ball. NucleusJ gives its **cube** under the same
# name: 0.9 and 0.73 are the same nucleus. Before you compare with a paper, ask which
# one it is.

# %%
nb.show.measurements(table)

# %% [markdown]
# Every row knows its label. One nucleus is more than twice as large as the others.
# **Look at it before you believe it**: a giant, or two that the segmentation took for
# one?

# %%
largest = np.argsort(table["volume_um3"])[-1:]
nb.show.highlight(field.image, field.label, labels=table["label"][largest])

# %% [markdown]
# ## 2. Which rows to trust
# A nucleus that the border cuts has neither its volume nor its shape: `touches_border`.
# One with fewer than five pixels between centre and surface has a volume but hardly a
# shape: `reliable`. Both stay in the table, marked; what you leave out is for you to
# say, and to write down.

# %%
trusted = table["reliable"] & ~table["touches_border"]
nb.show.table({"nuclei": [len(trusted)], "cut by the border": [table["touches_border"].sum()], "too coarse": [(~table["reliable"]).sum()],
               "left to trust": [trusted.sum()]})  # fmt: skip

# %% [markdown]
# ## 3. Break it: forget that planes lie farther apart
# The most frequent mistake in 3D: the file lost its spacing, and every plane counts as
# thick as a pixel is wide. **Guess**: what happens to the volume, and what to the shape
# of a ball?

# %%
wrong = measure(field.label.replace(spacing=(0.25, 0.25, 0.25)), field.image)
names = ("volume_um3", "flatness", "elongation", "sphericity")
medians = {
    name: [np.median(t[name][trusted]) for t in (table, wrong)] for name in names
}
nb.show.table({"spacing": ["0.5 x 0.25 x 0.25 µm", "0.25 x 0.25 x 0.25 µm"]} | medians)

# %% [markdown]
# Half the volume, and every nucleus a pancake. No error, no warning: only the spacing
# in the file stands between you and a discovery that is none. Where it is unknown,
# `nbtools` leaves out all columns in µm rather than count pixels as µm.
#
# ## 4. Chromocentres
# Bright spots of heterochromatin. A spot is what stands out of the nucleoplasm and is
# brighter than half way up to its own summit. **Look first**: are spots missed, or
# noise taken for spots?

# %%
spots = nb.measure.find_chromocentres(field.label, field.image)
nb.show.overlay(field.image, spots, title=f"{spots.pixels.max()} chromocentres")

# %%
table = measure(field.label, field.image, chromocentres=spots)
columns = (
    "chromocentres",
    "rhf_volume",
    "rhf_intensity",
    "chromocentre_border_um",
    "shell_1",
    "shell_5",
)
nb.show.measurements(nb.measure.choose(table, trusted), columns=columns)

# %% [markdown]
# `rhf_volume` and `rhf_intensity` are the *relative heterochromatin fractions*: the
# share of the nucleus's volume, and of its light, that lies in chromocentres. `shell_1`
# to `shell_5` cut the nucleus into five shells of equal volume, from the border
# inwards: 0.2 each if the dye is spread evenly. The outermost holds less here: blur
# carries its light out of the nucleus.
#
# ## 5. A mutant, and eight plants of each line
# Now the question of the paper: are the mutant's nuclei larger and flatter? We plant
# the answer: **10 % larger**, and more stretched. As in life, plants of one line differ
# too. From each we image one field, and keep the whole nuclei.

# %%
rng, plants = (
    np.random.default_rng(17),
    [(line, number) for line in ("wild type", "mutant") for number in range(8)],
)
crowd = {
    "count": 14,
    "cut": 0.0,
    "clustering": (0.0,),
    "squeeze": (0.0,),
    "radius_spread": (0.05,),
    "shape_px": (40, 96, 96),
}
shape = {
    "wild type": (3.0, 1.2),
    "mutant": (3.0 * 1.1 ** (1 / 3), 1.6),
}  # mean radius in µm, longest over shortest axis
settings = [
    optics
    | crowd
    | {
        "radius_um": (shape[line][0] * rng.normal(1, 0.025),),
        "elongation": (shape[line][1],),
    }
    for line, _ in plants
]
fields = [
    nb.simulate.make("nuclei3d", count=1, seed=i, settings=one)[0]
    for i, one in enumerate(settings)
]
tables = [
    measure(f.label, solidity=False) | {"line": line, "plant": plant}
    for f, (line, plant) in zip(fields, plants, strict=True)
]
study = nb.measure.stack(tables)
study = nb.measure.choose(study, ~study["touches_border"])

# %%
nb.show.groups(study, "volume_um3", group="line", unit="plant")

# %% [markdown]
# Small dots are nuclei, discs are plants. The interval is that of the **plants**:
# another eight plants of each line would give another difference, and 95 % of such
# intervals hold the true one. Does this one hold our 10 %? And is 0 in it? Then eight
# plants were too few to be sure of a difference that *is* there: that is what an honest
# interval looks like.

# %%
compared = nb.metrics.statistics.compare_groups(
    study,
    ["volume_um3", "flatness", "sphericity"],
    group="line",
    unit="plant",
    method="mixed",
)
nb.show.group_table(compared)

# %% [markdown]
# A *mixed model* says the same in another way: a mean for each line, a deviation for
# each plant, one for each nucleus; plants with many nuclei count more. Three columns
# are three chances to be lucky: Holm's p takes that into account.
#
# ## 6. Break it: a nucleus as the unit
# A hundred nuclei a line instead of eight plants: what a lot of data! **Guess** what
# happens to the interval.

# %%
nb.show.groups(study, "volume_um3", group="line", unit=None)

# %% [markdown]
# Much narrower, and "highly significant". There is a difference this time, we planted
# it. But what would it have said if there were none? Ask the data: bring both lines to
# the same mean, deal the plants out to two groups at random, a thousand times, and
# count how often each analysis cries "significant" at p < 0.05.

# %%
alarms = nb.metrics.statistics.count_false_alarms(
    study, "volume_um3", group="line", unit="plant"
)
nb.show.table(
    {
        "unit": ["plant", "nucleus"],
        "false alarms": [
            f"{100 * alarms[name]:.0f} %" for name in ("by_unit", "by_nucleus")
        ],
    }
)

# %% [markdown]
# With plants, about one in twenty, as promised. With nuclei, several times that: nuclei
# of one plant are alike, and counting them as independent is *pseudo-replication* (Lord
# et al. 2020, doi:10.1083/jcb.202001064). More nuclei do not help. **More plants do.**
#
# ## You now have
# a table in µm of which you know what to trust, chromocentres that you have looked at,
# and a comparison that holds for other plants too. On the command line: `nbtools
# measure LABELS --images IMAGES --chromocentres --spots spots --out nuclei.csv`.
#
# **Three questions** (think first, then open)
#
# <details><summary>1. You can image 200 nuclei in all: 100 from each of 2 plants, or 20
# from each of 10?</summary>
#
# Twenty from each of ten. With two plants there is one degree of freedom a line, and no
# number of nuclei makes up for it. Twenty nuclei already give the mean of a plant well;
# what you do not know is how plants differ.
# </details>
#
# <details><summary>2. The mutant's chromocentres are 8 % smaller, but its images were
# taken on another microscope. Do you believe it?</summary>
#
# No. A spot as small as a chromocentre is measured together with the blur, and another
# microscope blurs otherwise. Both lines belong on one microscope, with the same
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
