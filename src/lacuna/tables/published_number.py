"""A number that a publication gives for a problem and a method."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedNumber:
    """One published number."""

    table: str  # where it stands, such as diffjoint_table01
    dataset: str
    n: int | None
    p: int | None
    mask: str
    ratio: float | None
    target: str  # of a downstream score, else empty
    method: str
    metric: str  # as in records: <split>/<name>; downstream/<name> of a classifier
    value: float
    std: float | None
    unit: float  # of the last printed digit

    @property
    def key(self) -> str:
        """Of the same score in a record: a classifier's stands under its target."""
        kind, _, name = self.metric.partition("/")
        return f"test/downstream/{self.target}/{name}" if kind == "downstream" else self.metric
