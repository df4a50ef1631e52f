"""Remedies of findings speak Python in a notebook."""

from nbtools.wording import in_python


def test_every_remedy_of_a_check_can_be_said_without_flags():
    remedies = [
        "nbtools check --fix fills them; holes change areas.",
        "nbtools check --fix COPY --unknown 255 replaces it by -1.",
        "Give it with --spacing, or write spacing_um = [z, y, x] into dataset.toml, in µm.",
        "Run nbtools check with --axes ZYX --remember, which writes axes into dataset.toml.",
        "Choose one with --time 0, or treat each as an image with --time all.",
        "Choose one with --channel 0 to 3, or by name.",
        "Use nbtools split, which keeps them together.",
    ]
    for remedy in remedies:
        said = in_python(remedy)
        assert "--" not in said
        assert "nbtools " not in said
    assert "RepairOptions(unknown=(255,))" in in_python(remedies[1])
