"""The process of a run under limits: what ``limits.watch`` starts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from rich.console import Console

from lacuna.runner import experiment
from lacuna.runner.limits import Limits, Stopped, watched


def main(pipe: int) -> None:
    """Carry out the run that is described on the standard input, and leave its record."""
    parent = os.getppid()
    sent = json.load(sys.stdin)
    config, folder = sent["config"], Path(sent["folder"])
    console = Console(quiet=sent["quiet"], width=sent["width"])
    try:
        with watched(Limits(**config["limits"]), parent):
            parts = experiment.assemble(config)
            os.write(pipe, b"\n")  # begun
            experiment.execute(config, parts, folder, console, sent["command"])
    except Stopped as error:
        sys.exit(error.exit_code)
