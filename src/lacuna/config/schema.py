"""Every key of a resolved configuration, with its type and range."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lacuna.errors import UserError


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NamesNode(Strict):
    """The chosen file of each group, and the metrics as they were asked for."""

    dataset: str
    mask: str
    method: str
    budget: str
    downstream: str
    tracking: str
    experiment: str | None
    metrics: Literal["all"] | list[str]


class BudgetNode(Strict):
    name: Literal["paper", "fast", "quick"]


class TrackingNode(Strict):
    uri: str | None


class LimitsNode(Strict):
    seconds: float | None = Field(gt=0)
    memory_gb: float | None = Field(gt=0)


class SweepNode(Strict):
    dry_run: bool


class LacunaNode(Strict):
    debug: bool


class Settings(Strict):
    dataset: dict[str, Any]
    mask: dict[str, Any]
    method: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    downstream: dict[str, Any]
    names: NamesNode
    budget: BudgetNode
    tracking: TrackingNode
    ratio: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)
    device: Literal["cpu", "cuda"]
    draws: int = Field(ge=0)
    alpha: float = Field(gt=0, lt=1)
    fill: Literal["best", "draw"]
    calibrate: bool | Literal["auto"]
    m: int = Field(ge=0)
    where: list[str | int] | None
    predict_only: list[str | int] | None
    impute_only: list[str] | None
    held_out: float | None = Field(gt=0, lt=1)
    score_iterations: list[Literal["train", "test"]]
    resume: bool
    outputs: str = Field(min_length=1)
    limits: LimitsNode
    sweep: SweepNode
    lacuna: LacunaNode


def validated(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` as Settings has them, or a UserError that names the first key at fault."""
    try:
        return Settings.model_validate(values).model_dump()
    except ValidationError as error:
        raise UserError(_one_line(error)) from None


def as_annotated(hint: Any, value: Any, where: str) -> Any:
    """``value`` as the annotation ``hint``, or a UserError that names the key ``where`` it stands."""
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        raise UserError(_one_line(error, where)) from None


def _one_line(error: ValidationError, where: str = "") -> str:
    first = error.errors()[0]
    key = where or ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    problem = re.split(", (?:unable|got) ", first["msg"].replace("Input should be", "must be"))[0]
    return f"{key} {problem[0].lower()}{problem[1:]}, got {first['input']!r}"
