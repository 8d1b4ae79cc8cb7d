"""Records -> event files of TensorBoard. This is the only importer of tensorboard.

A folder for each run, ``<folder>/<data set>/<name>-<run id>``: final scores at step 0, scores of outer iterations as
curves, settings in the tab HPARAMS, and what the run was in the tab TEXT.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from lacuna.errors import require
from lacuna.files import locked, whole
from lacuna.records.record import Record
from lacuna.runner.tracking import metrics, note_published, parameters, run_title, typed

LOCK = ".tensorboard.lock"


class TensorBoard:
    """Event files below a folder; sweeps have no parents there.

    Args:
        uri: ``tensorboard:FOLDER``.
        folder: that of the URI.

    Raises:
        MissingPackage: tensorboard is not installed.
    """

    def __init__(self, uri: str, folder: Path) -> None:
        require("tracking=tensorboard", "tensorboard", "tensorboard")
        self.uri, self.folder = uri, folder

    def publish(self, record: Record, folder: Path, parent: str | None = None) -> bool:
        """Write the event file of ``record``, see ``Tracking``."""
        from tensorboard.summary.writer.record_writer import RecordWriter

        began = datetime.fromisoformat(record.started or record.finished).timestamp()
        place = self.folder / record.config["names"]["dataset"] / f"{run_title(record)}-{record.run}"
        path = place / f"events.out.tfevents.{_milliseconds(record.finished)}.lacuna"
        with locked(folder, name=LOCK):
            held = path.exists()
            if not held:
                shutil.rmtree(place, ignore_errors=True)  # of this run as it was before
                with whole(path) as temporary, temporary.open("wb") as file:
                    writer = RecordWriter(file)  # TensorBoard's own event writer would load TensorFlow where it is
                    for event in _events(record, began):
                        writer.write(event.SerializeToString())
            note_published(record, folder, self.uri)
        return not held

    def parent(self, dataset: str, key: str, name: str, command: str, description: str = "") -> str:
        return key

    def reopen(self, run_id: str) -> None:
        """There is nothing to reopen."""

    def close(self, run_id: str, status: str) -> None:
        """There is nothing to close."""


def _events(record: Record, began: float) -> Iterator[Any]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    ended = datetime.fromisoformat(record.finished).timestamp()
    yield Event(wall_time=began, file_version="brain.Event:2")
    start = plugin_data_pb2.SessionStartInfo(group_name=record.run, start_time_secs=began)
    for name, text in parameters(record.config).items():
        value = typed(text)
        if isinstance(value, float):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = value
    status = api_pb2.STATUS_SUCCESS if record.status in ("finished", "unsupported") else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    for tag, data in (
        (metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start)),
        (metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end)),
    ):
        about = metadata.create_summary_metadata(data)
        yield Event(wall_time=ended, summary=Summary(value=[Summary.Value(tag=tag, metadata=about)]))
    yield Event(wall_time=ended, summary=_text(record))
    for tag, value, step in metrics(record):
        if math.isfinite(value):
            found = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            yield Event(wall_time=ended, step=step, summary=found)


def _text(record: Record) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.text import metadata

    about = f"{record.status}{': ' + record.error if record.error else ''}\n\n`{record.command}`"
    tensor = TensorProto(dtype=DT_STRING, string_val=[about.encode()])
    value = Summary.Value(tag="run", metadata=metadata.create_summary_metadata("run", ""), tensor=tensor)
    return Summary(value=[value])


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
