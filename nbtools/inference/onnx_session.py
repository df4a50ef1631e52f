"""ONNX files, run with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbtools import runtime
from nbtools.errors import UserError

WHY = "ONNX files are written and run by packages of their own."


def open_session(path: str | Path) -> Any:
    """Open an ONNX file on the processor, on as many cores as there are here.

    Parameters
    ----------
    path : of the file. A graph is data: nothing of it is run as code.

    Raises
    ------
    UserError : ONNX Runtime is not installed, or cannot run the file.
    """
    onnxruntime = runtime.require_package("onnxruntime", extra="export", why=WHY)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = runtime.cores()
    options.log_severity_level = 3  # errors alone
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its kinds of errors share no class
        raise UserError(
            "ONNX Runtime must be able to run the network.",
            f"{Path(path).name}: {str(error).splitlines()[0]}",
            "Update it (pip install --upgrade onnxruntime), or get the file again.",
        ) from error
