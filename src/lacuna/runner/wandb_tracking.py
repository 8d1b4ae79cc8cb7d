"""Records -> Weights & Biases. This is the only importer of wandb.

``WANDB_MODE=offline`` writes to the folder wandb/ below the outputs and needs no network; ``wandb sync`` sends it
later.
"""

from __future__ import annotations

import math
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from lacuna.errors import require
from lacuna.files import locked
from lacuna.records.record import Record
from lacuna.runner.tracking import artifacts, is_published, metrics, note_published, parameters, run_title, typed

LOCK = ".wandb.lock"
QUIET: dict[str, Any] = {  # what it would say and gather itself stands in the record
    "silent": True,
    "show_warnings": False,
    "console": "off",
    "disable_git": True,
    "disable_code": True,
    "disable_job_creation": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
}


class WeightsAndBiases:
    """One project; the jobs of a sweep are one group.

    Args:
        uri: ``wandb:PROJECT`` or ``wandb:ENTITY/PROJECT``.
        project: that of the URI.
        outputs: the folder wandb/ lies there.

    Raises:
        MissingPackage: wandb is not installed.
    """

    def __init__(self, uri: str, project: str, outputs: Path) -> None:
        require("tracking=wandb", "wandb", "wandb")
        self.uri, self.outputs = uri, outputs
        entity, _, self.project = project.rpartition("/")
        self.entity = entity or None

    def publish(self, record: Record, folder: Path, parent: str | None = None) -> bool:
        """Write a run, see ``Tracking``; of a record that was made anew it is another one."""
        with locked(folder, name=LOCK):
            if is_published(record, folder, self.uri):
                return False
            self._publish(record, folder, parent)
            note_published(record, folder, self.uri)
            return True

    def _publish(self, record: Record, folder: Path, parent: str | None) -> None:
        import wandb

        self.outputs.mkdir(parents=True, exist_ok=True)
        names = record.config["names"]
        run = wandb.init(
            id=f"{record.run}-{int(datetime.fromisoformat(record.finished).timestamp() * 1000)}",
            resume="allow",
            entity=self.entity,
            project=self.project,
            dir=self.outputs,
            name=run_title(record),
            group=parent,
            config=_settings(record),
            tags=[names["dataset"], names["mask"], names["method"]],
            settings=wandb.Settings(**QUIET),
        )
        steps: dict[int, dict[str, float]] = {}
        for name, value, step in metrics(record):
            if math.isfinite(value):
                steps.setdefault(step, {})[name] = value
        final = steps.pop(0, {})
        for step in sorted(steps):
            run.log(steps[step], step=step)
        run.summary.update(final)
        kept = Path(run.dir, "run")  # beside wandb's own config.yaml
        kept.mkdir(parents=True, exist_ok=True)
        for path in (folder / name for name in artifacts(record)):
            if path.is_dir():
                shutil.copytree(path, kept / path.name, dirs_exist_ok=True)
            elif path.is_file():
                shutil.copy(path, kept)
        run.save(str(kept / "**"), base_path=run.dir, policy="now")
        run.finish(exit_code=int(record.status not in ("finished", "unsupported")))

    def parent(self, dataset: str, key: str, name: str, command: str, description: str = "") -> str:
        return f"{name[:100]} ({key})"

    def reopen(self, run_id: str) -> None:
        """A group has no state."""

    def close(self, run_id: str, status: str) -> None:
        """A group has no state."""


def _settings(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {key: typed(text) for key, text in parameters(record.config).items()}
    found |= {key: getattr(record, key) for key in ("command", "status", "error", "commit", "run")}
    return found | {f"version.{package}": version for package, version in record.versions.items()}
