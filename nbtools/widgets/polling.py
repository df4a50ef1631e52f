"""Process the clicks of a button while a cell is running.

A kernel answers one message after the other, so a click waits until the running cell has ended.
From version 7 the page may ask for a separate thread (subshell) for the messages of widgets, as
JupyterLab does; but the kernel then answers them where the widget was last used, which is behind
the cell again. Older kernels (6, Colab's among them) have one queue for all.
"""

from __future__ import annotations

import ipywidgets

LAST_USED = "_reply_subshell_id"


def poll_button(button: ipywidgets.Button, kernel: object | None) -> None:
    """Process the clicks of one button that wait behind the running cell.

    All other messages keep waiting, in their order. Call it now and then from the cell, in the main
    thread.

    Parameters
    ----------
    button : the button.
    kernel : an ipykernel; with any other, or None, nothing happens.
    """
    queue = getattr(kernel, "msg_queue", None)
    comm = getattr(button, "comm", None)
    if comm is not None:
        # version 7: without this note, the thread that the page asked for answers
        vars(comm).pop(LAST_USED, None)
    if queue is None or comm is None:
        return
    kernel.shell_stream.flush()
    waiting = [queue.get_nowait() for _ in range(queue.qsize())]
    for entry in waiting:
        message = _read_press(kernel, entry[-1], comm.comm_id)
        if message is None:
            queue.put_nowait(entry)
        else:
            kernel.comm_manager.comm_msg(kernel.shell_stream, None, message)


def find_kernel() -> object | None:
    """The kernel that runs this notebook; None outside of a notebook."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return getattr(get_ipython(), "kernel", None)


def _read_press(kernel: object, arguments: tuple, comm_id: str) -> dict | None:
    """The message, if it is for this widget; else None, and it stays unread."""
    session = kernel.session
    if len(arguments) != 1:
        return None
    _, frames = session.feed_identities(arguments[0], copy=False)
    header, content = (session.unpack(bytes(frames[place].bytes)) for place in (1, 4))
    if header.get("msg_type") != "comm_msg" or content.get("comm_id") != comm_id:
        return None
    return session.deserialize(frames, content=True, copy=False)
