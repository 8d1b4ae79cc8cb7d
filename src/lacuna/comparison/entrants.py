"""Who takes part in a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lacuna import paths
from lacuna.errors import UserError
from lacuna.methods.base import Method

# unless others are named; the cheap ones first. No method for blanks that depend on the value they hide: cells that are
# hidden again do not
METHODS = (
    *("mean_mode", "softimpute", "boosting", "missforest_sklearn", "chained", "gcimpute", "mice_cart", "mice_pmm"),
    *("knn", "ice"),
)


def entrants(
    make: Callable[[str, Mapping[str, Any] | None], Method], methods: Sequence[str] | None = None, flags: bool = False
) -> dict[str, partial[Method]]:
    """By name what makes each method, of its id and options.

    Args:
        make: a method of its id and options.
        methods: ids; default: ``METHODS``, as far as they are there.
        flags: blanks may be meaningful, so that only methods that tell them apart can be taken: each is tried as the
            base of ``selective``.

    Raises:
        UserError: no method is named.
    """
    ids = [name for name in METHODS if _is_there(name)] if methods is None else list(methods)
    if not ids:
        raise UserError("no method is named to compare")
    if flags:
        return {f"selective(base={name})": partial(make, "selective", {"base": name}) for name in ids}
    return {name: partial(make, name, None) for name in ids}


def _is_there(name: str) -> bool:
    return (paths.CONF / "method" / f"{name}.yaml").is_file()
