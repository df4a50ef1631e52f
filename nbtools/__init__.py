"""Deep learning on images of nuclei: a course of notebooks, and the parts they are built from."""

import importlib

__version__ = "0.1.0"

_ROOMS = (
    "augment",
    "by_hand",
    "checks",
    "cli",
    "config",
    "data",
    "errors",
    "export",
    "geometry",
    "image",
    "inference",
    "io",
    "losses",
    "measure",
    "methods",
    "metrics",
    "nets",
    "normalize",
    "patches",
    "report",
    "results",
    "runtime",
    "show",
    "simulate",
    "targets",
    "tasks",
    "tracking",
    "training",
    "widgets",
)
_KERAS = ("losses", "nets", "training")  # those that load it


def __getattr__(name: str):
    """Rooms are loaded when first used, so that `import nbtools` stays fast and needs no Keras."""
    if name in _KERAS:
        return importlib.import_module("nbtools.runtime").load_quietly(f"nbtools.{name}")
    if name in _ROOMS:
        return importlib.import_module(f"nbtools.{name}")
    raise AttributeError(f"module 'nbtools' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_ROOMS]
