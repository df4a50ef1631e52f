"""Sphinx settings of the site; docs/build.py puts this file beside the assembled pages."""

project = "nbtools"
author = "The nbtools authors"
copyright = "the nbtools authors, BSD-3-Clause"

extensions = ["myst_nb"]
html_theme = "furo"
html_title = "nbtools"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
exclude_patterns = ["README.md"]

myst_enable_extensions = ["attrs_block", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # lessons come executed, see docs/build.py
nb_ipywidgets_js = {}  # forms stand as a sentence; nothing is fetched from elsewhere
nb_merge_streams = True
pygments_style = "default"
pygments_dark_style = "github-dark"
# Headings of a lesson may skip a level, and the list of lessons links to each of them.
suppress_warnings = ["myst.header"]
