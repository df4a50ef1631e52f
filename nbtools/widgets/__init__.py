"""Forms, pickers, viewers and a painter for notebooks.

A widget is made in one cell and its `.value` read in the next; without a click, its value is a
valid default.
"""

from nbtools.widgets.by_hand import Hillside, WeightedSum, descend, weigh
from nbtools.widgets.channel import ChannelPicker, pick_channel
from nbtools.widgets.check_up import CheckUp, check_up
from nbtools.widgets.compare import Comparison, compare_slider
from nbtools.widgets.corrections import Corrections, correct
from nbtools.widgets.deposit_form import DepositForm, fill_deposit
from nbtools.widgets.download import Download, download
from nbtools.widgets.form import Form, form
from nbtools.widgets.guess import Guess, Question, ask, guess
from nbtools.widgets.live import LiveTraining, train_live
from nbtools.widgets.painter import paint
from nbtools.widgets.picker import DataPicker, pick_data
from nbtools.widgets.sorting import SortImages, sort_images
from nbtools.widgets.starting_point import StartPicker, pick_start
from nbtools.widgets.viewer import browse, explore_threshold
from nbtools.widgets.volume import Orthogonal, Turntable, orthogonal, turntable
from nbtools.widgets.weights import WeightsPicker, pick_weights

__all__ = [
    "ChannelPicker",
    "CheckUp",
    "Comparison",
    "Corrections",
    "DataPicker",
    "DepositForm",
    "Download",
    "Form",
    "Guess",
    "Hillside",
    "LiveTraining",
    "Orthogonal",
    "Question",
    "SortImages",
    "StartPicker",
    "Turntable",
    "WeightedSum",
    "WeightsPicker",
    "ask",
    "browse",
    "check_up",
    "compare_slider",
    "correct",
    "descend",
    "download",
    "explore_threshold",
    "fill_deposit",
    "form",
    "guess",
    "orthogonal",
    "paint",
    "pick_channel",
    "pick_data",
    "pick_start",
    "pick_weights",
    "sort_images",
    "train_live",
    "turntable",
    "weigh",
]
