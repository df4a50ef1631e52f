"""How the files of a data set are read: axes, channel, time point and pixel size."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from nbtools import io
from nbtools.data import DataSet, InputOptions, doubt_time, save_input_options
from nbtools.errors import UserError
from nbtools.io.series import list_names
from nbtools.widgets.common import (
    STYLE,
    WIDE,
    format_error,
    format_note,
    make_button,
    make_dropdown,
    make_html,
    with_class,
)

ALL_CHANNELS = ("all", None)
UNCHANGED = ("unchanged", None)
NOT_CHOSEN = ("not chosen", None)
EACH = ("each as a separate image", "all")
MOST_TIMES = 500  # listed time points


class InputOptionsForm(ipywidgets.VBox):
    """Fields for axes, channel, time and spacing; `.value` is their InputOptions.

    Where a field is empty, the file decides.
    """

    def __init__(self):
        self.question = make_html("nb-reading-question")
        self.axes = _make_text("Axes", "from the file, e.g. ZYX", "nb-reading-axes")
        self.spacing = _make_text(
            "Pixel size, µm", "from the file, e.g. 0.5, 0.2, 0.2", "nb-reading-spacing"
        )
        self.channel = make_dropdown("Channel", [ALL_CHANNELS], name="nb-reading-channel")
        self.time = make_dropdown("Time point", [UNCHANGED], name="nb-reading-time")
        self.series = make_dropdown("Image of the file", [NOT_CHOSEN], name="nb-reading-series")
        self.keep = make_button("Remember axes and pixel size", "nb-reading-keep")
        self.status = make_html("nb-reading-status")
        self._dataset: DataSet | None = None
        self._filling = False
        self._callbacks = []
        fields = [self.axes, self.spacing, self.channel, self.time, self.series]
        self.folded = ipywidgets.Accordion(
            children=[ipywidgets.VBox([*fields, self.keep, self.status])], selected_index=None
        )
        self.folded.set_title(0, "How the files are read")
        super().__init__([self.question, self.folded])
        for field in fields:
            field.observe(lambda _: self._filling or self._notify(), "value")
        self.keep.on_click(lambda _: self._remember())

    @property
    def value(self) -> InputOptions:
        """The entries as InputOptions; UserError where the pixel size is no list of numbers."""
        try:
            spacing = (
                tuple(float(part) for part in self.spacing.value.split(",") if part.strip()) or None
            )
        except ValueError as error:
            raise UserError(
                "Pixel size must be numbers.", repr(self.spacing.value), "Example: 0.5, 0.2, 0.2."
            ) from error
        return InputOptions(
            axes=self.axes.value.strip() or None,
            channel=self.channel.value,
            time=self.time.value,
            spacing=spacing,
            series=self.series.value,
        )

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call a function whenever an entry changes."""
        self._callbacks.append(callback)

    def reset(self) -> None:
        """Empty all fields: the files decide."""
        self._filling = True
        self.axes.value = self.spacing.value = self.status.value = self.question.value = ""
        self.channel.options = [ALL_CHANNELS]
        self.time.options = [UNCHANGED]
        self.series.options = [NOT_CHOSEN]
        self._filling = False
        self._dataset = None

    def inspect(self, dataset: DataSet) -> None:
        """Offer the channels and time points of the first image, and ask for axes that are unknown.

        Parameters
        ----------
        dataset : data set, of which the header of the first image is read.
        """
        self._dataset = dataset
        first = dataset.entries[0].files.get("images")
        if first is None:
            return
        found = io.open_image(first, axes=dataset.options.axes, header_only=True)
        image, names = found.image, dataset.reader.channels or found.image.channels
        count = image.size("C")
        times = image.size("T")
        channels = [
            (f"{c}: {names[c]}" if len(names) == count else str(c), c)
            for c in range(count if count > 1 else 0)
        ]
        moments = [EACH, *((str(t), t) for t in range(min(times, MOST_TIMES)))]
        self._offer(self.channel, [ALL_CHANNELS, *channels])
        self._offer(self.time, [UNCHANGED, *(moments if times > 1 else [])])
        several = [EACH, *((name, number) for number, name in enumerate(found.series))]
        self._offer(self.series, [NOT_CHOSEN, *(several if found.series else [])])
        self.question.value = ""
        if found.series and self.series.value is None:
            text = f"Files hold several images ({list_names(found.series)}): choose one, or each."
            self._ask(text)
        if "axes" in found.guesses:
            size = " x ".join(map(str, image.shape))
            text = (
                f"The files do not name their axes: {size} pixels are read as {image.axes}. Is "
                "that right? If not, enter the axes below."
            )
            self._ask(text)
        elif doubt := doubt_time(image):
            self._ask(
                f"The files call their {times} planes time points. Are they slices of a volume? "
                f"Then enter {doubt.axes} as axes below; if not, choose a time point, or each as a "
                "separate image."
            )

    def _ask(self, text: str) -> None:
        """Ask about what the files leave open, with the fields open."""
        self.question.value = f"<b>{format_note(text)}</b>"
        self.folded.selected_index = 0

    def _offer(self, field: ipywidgets.Dropdown, options: list) -> None:
        """New options, with the chosen one kept where it is still there."""
        self._filling = True
        chosen = field.value
        field.options = options
        field.value = chosen if chosen in [value for _, value in options] else None
        self._filling = False

    def _notify(self) -> None:
        self.status.value = ""
        for callback in self._callbacks:
            callback()

    def _remember(self) -> None:
        try:
            if self._dataset is None or self._dataset.folder is None:
                raise UserError(
                    "Options are remembered per folder.",
                    "none chosen yet",
                    "Choose a folder of images first.",
                )
            self.status.value = format_note(
                f"Remembered in {save_input_options(self._dataset.folder, self.value)}."
            )
        except UserError as error:
            self.status.value = format_error(error)


def _make_text(text: str, hint: str, css: str) -> ipywidgets.Text:
    return with_class(
        ipywidgets.Text(
            description=text, placeholder=hint, continuous_update=False, layout=WIDE, style=STYLE
        ),
        css,
    )
