"""Forms, pickers and viewers for notebooks. A widget is made in one cell and read in the next; its default is a valid answer."""

from nbtools.widgets.compare import Comparison, compare_slider
from nbtools.widgets.form import Form, form
from nbtools.widgets.picker import DataPicker, pick_data
from nbtools.widgets.viewer import browse, explore_threshold

__all__ = ["Comparison", "DataPicker", "Form", "browse", "compare_slider", "explore_threshold", "form", "pick_data"]
