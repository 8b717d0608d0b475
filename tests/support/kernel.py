"""A notebook kernel that a test drives, kills and interrupts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager


class Kernel:
    """A kernel of its own process, as JupyterLab starts one.

    What it is asked has no deadline of its own but that of the test, which knows how slow this
    machine is.
    """

    def __init__(self, cwd: Path) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(cwd))
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready()

    def run(self, code: str) -> str:
        """Run a cell; return what it printed, or the text of its error."""
        printed: list[str] = []

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                printed.append("\n".join(content["traceback"]))

        self._client.execute_interactive(code, output_hook=take)
        return "".join(printed)

    def begin(self, code: str) -> None:
        """Begin a cell and do not wait."""
        self._client.execute(code)

    def interrupt(self) -> str:
        """Do what the stop button does; return the text of the error that the cell ends with."""
        self._manager.interrupt_kernel()
        self._client.get_shell_msg()
        shown = ""
        while (message := self._client.get_iopub_msg())["msg_type"] != "status" or (
            message["content"]["execution_state"] != "idle"
        ):
            if message["msg_type"] == "error":
                shown = "\n".join(message["content"]["traceback"])
        return shown

    def kill(self) -> None:
        """End it with SIGKILL, as a crash or "restart kernel" does."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def pid(self) -> int:
        """Return its process id."""
        return int(self.run("import os; print(os.getpid())"))
