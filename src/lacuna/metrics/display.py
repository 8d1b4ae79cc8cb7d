"""What a metric says of itself: how its scores are called, shown and ranked.

A metric without the decorator is called by its id, is not ranked, and is shown as a plain number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Display:
    """How a number of a record is shown."""

    label: str
    better: Literal[-1, 0, 1] = 0  # 1: the higher the better; -1: the lower; 0: neither
    percent: bool = False  # a share, shown in per cent
    unit: str = ""
    headline: bool = True  # shown where a sweep is compared


def metric(
    label: str, *, better: Literal[-1, 0, 1] = 0, percent: bool = False, unit: str = "", headline: bool = True
) -> Callable[[Function], Function]:
    """Declare how the scores of the decorated function are shown; arguments as of ``Display``.

    >>> @metric(label="bias", unit="raw units")
    ... def bias(answer, imputation): ...
    >>> display_of(bias, "my_bias").label, display_of(print, "my_bias").label
    ('bias', 'my_bias')
    """

    def declared(function: Function) -> Function:
        function.display = Display(label, better, percent, unit, headline)  # type: ignore[attr-defined]
        return function

    return declared


def display_of(function: object, name: str) -> Display:
    """What ``function`` declares, or the plainest for the metric ``name``."""
    return getattr(function, "display", None) or Display(name)
