"""Small methods: kinds of result and of training that no method of the table has yet.

Each is a file and a row, as every method is; the contract of all methods holds for them, too.
"""

from nbtools.methods.registry import Paper, Row

PAPER = Paper("A probe of the test suite", "10.0000/none", 2026)


def make_row(name: str, cls: str, task: str, *, needs: str) -> Row:
    """The table's row of a probe."""
    return Row(
        name=name,
        path=f"probes.{name.removesuffix('_probe')}:{cls}",
        title=f"Probe: {task}",
        task=task,
        dims=(2, 3),
        needs=(needs,),
        system="none",
        paper=PAPER,
        lesson="notebooks/00_start_here.ipynb",
        parameters=1,
    )


ROWS = (
    make_row("points_probe", "PointsProbe", "detection", needs="points"),
    make_row("boxes_probe", "BoxesProbe", "detection", needs="boxes"),
    make_row("classes_probe", "ClassesProbe", "classification", needs="classes"),
    make_row("unpaired_probe", "UnpairedProbe", "translation", needs="unpaired"),
    make_row("half_labelled_probe", "HalfLabelledProbe", "instances", needs="labels"),
    make_row("class_map_probe", "ClassMapProbe", "semantic", needs="labels"),
)
