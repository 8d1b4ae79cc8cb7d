"""What ``hydra/sweeper=optuna`` searches, from the override grammar of Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig

from lacuna.errors import UserError
from lacuna.sweeps.expand import override_parser, typed_overrides

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

EXAMPLE = "such as method.hidden=16,32,64 or 'method.learning_rate=tag(log, interval(1e-4, 1e-2))'"


@dataclass(frozen=True)
class SearchSpace:
    """Overrides that all trials have, and what may vary."""

    fixed: list[str]
    dimensions: dict[str, BaseDistribution]  # by key
    typed: dict[str, str]  # the same as they were typed

    def overrides(self, values: Mapping[str, Any]) -> list[str]:
        """The overrides of the trial with these values."""
        return [*self.fixed, *(f"{key}={value}" for key, value in values.items())]

    def probes(self) -> Iterator[dict[str, Any]]:
        """Points that show whether the space can be searched: its corners, one dimension at a time."""
        corners = {key: list(_corners(dimension)) for key, dimension in self.dimensions.items()}
        first = {key: found[0] for key, found in corners.items()}
        yield first
        for key, found in corners.items():
            yield from (first | {key: value} for value in found[1:])

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """The values of a trial; those that it has already stay."""
        return {key: _suggest(trial, key, dimension) for key, dimension in self.dimensions.items()}


def search_space(config: DictConfig) -> SearchSpace:
    """The search space of a multirun.

    Args:
        config: of the multirun, whose sweeper may give ``params``; what was typed comes after them.

    Raises:
        UserError: nothing varies, or something that is no setting of a method.
    """
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    parsed = override_parser().parse_overrides([*params, *typed_overrides(config.hydra)])
    last = {override.get_key_element(): override for override in parsed}
    varied = {key: override for key, override in last.items() if override.is_sweep_override()}
    for key in varied:
        if key.lstrip("+").partition(".")[0] != "method":
            raise UserError(
                f"hydra/sweeper=optuna searches settings of a method by its error on one problem: give one {key}"
            )
    if not varied:
        raise UserError(f"nothing to search: give settings of the method several values, {EXAMPLE}")
    fixed = [f"{key}={o.get_value_element_as_str()}" for key, o in last.items() if key not in varied]
    typed = {key: override.get_value_string() for key, override in varied.items()}
    return SearchSpace(fixed, {key: _dimension(key, override) for key, override in varied.items()}, typed)


def _dimension(key: str, override: Override) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep: Any = override.value()
    try:
        if isinstance(sweep, IntervalSweep):
            low, high = sweep.start, sweep.end
            kind: Any = IntDistribution if isinstance(low, int) and isinstance(high, int) else FloatDistribution
            return kind(low, high, log="log" in sweep.tags)
        values: list[Any] = list(override.sweep_iterator())
        if isinstance(sweep, RangeSweep) and len(values) > 1:
            low, high, step = min(values), max(values), abs(sweep.step)
            kind = IntDistribution if isinstance(low, int) else FloatDistribution
            if "log" in sweep.tags:
                return kind(low, high, log=True)
            return kind(low, high, step=step)
    except ValueError as error:
        raise UserError(f"{override.input_line} cannot be searched: {error}") from error
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _corners(dimension: Any) -> Iterator[Any]:
    if hasattr(dimension, "choices"):
        yield from dimension.choices
        return
    yield dimension.low
    if isinstance(dimension.low, float) and dimension.step is None:
        yield dimension.low + 0.37 * (dimension.high - dimension.low)  # no whole number
    yield dimension.high


def _suggest(trial: Trial, key: str, dimension: Any) -> Any:
    if hasattr(dimension, "choices"):
        return trial.suggest_categorical(key, dimension.choices)
    suggest = trial.suggest_float if isinstance(dimension.low, float) else trial.suggest_int
    step = dimension.step if isinstance(dimension.low, float) or not dimension.log else 1
    return suggest(key, dimension.low, dimension.high, step=step, log=dimension.log)
