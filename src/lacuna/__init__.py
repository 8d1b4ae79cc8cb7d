"""Lacuna: learn which blanks of a table should stay blank, and fill the others with honest uncertainty."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lacuna.diagnosis.api import diagnose
    from lacuna.imputer import Imputer, load
    from lacuna.pooling import pool
    from lacuna.sensitivity import tipping_point

__version__ = "0.1.0"
__all__ = ["Imputer", "diagnose", "load", "pool", "tipping_point"]


def __getattr__(name: str) -> Any:
    """The public API, imported when it is asked for: a run from the command line does not need it."""
    if name == "pool":
        from lacuna.pooling import pool

        return pool
    if name == "tipping_point":
        from lacuna.sensitivity import tipping_point

        return tipping_point
    if name == "diagnose":
        from lacuna.diagnosis import api

        return api.diagnose
    if name in __all__:
        from lacuna import imputer

        return getattr(imputer, name)
    raise AttributeError(f"module 'lacuna' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"Any", "TYPE_CHECKING"})
