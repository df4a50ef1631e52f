"""`nbtools doctor`: what this machine is, what will run here and how long it takes."""

from __future__ import annotations

import argparse

from nbtools.cli import common
from nbtools.cli.common import Command, CommandResult


def run(args: argparse.Namespace) -> CommandResult:
    """Report on this machine and its software; code 1 where there are problems."""
    from nbtools import runtime

    common.make_reporter(args)("Trying Keras and measuring the processor: some seconds.")
    found = runtime.doctor()
    return CommandResult(found, _format_report(found), 1 if found["problems"] else 0)


def _format_report(found: dict) -> list[str]:
    packages = ", ".join(
        f"{name} {version or 'missing'}"
        for name, version in found["packages"].items()
        if name != "python"
    )
    place = "Google Colab" if found["colab"] else found["platform"]
    unseen = found["gpu"] and not found["keras"]["gpus"]
    return [
        f"Python {found['python']} on {place}",
        f"{found['cores']} cores ({found['gflops']:.0f} Gflop/s), {found['free_gb']} of "
        f"{found['memory_gb']} GB memory free, "
        f"{found['disk_gb']} GB disk free",
        f"GPU: {found['gpu'] or 'none'}{' (but TensorFlow does not see it)' if unseen else ''}",
        f"Packages: {packages}",
        "About how long here:",
        *(f"  {row['minutes']:5.1f} min  {row['what']}" for row in found["forecast"]),
        *([f"Attention: {problem}" for problem in found["problems"]] or ["All is ready."]),
    ]


COMMAND = Command("doctor", "what this machine is, what will run here and how long it takes", run)
