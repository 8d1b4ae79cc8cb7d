"""The table of a file that a command names."""

from __future__ import annotations

from collections.abc import Sequence

from lacuna.cli.arguments import quoted
from lacuna.config.compose import compose, plain
from lacuna.config.instantiate import instantiate
from lacuna.datasets.csv import CSV
from lacuna.rng import stream
from lacuna.types import Table


def read_table(
    file: str, overrides: Sequence[str], schema: str | None = None, config_dir: str | None = None, seed: int = 0
) -> Table:
    """The file as ``dataset=csv`` reads it.

    Args:
        file: its path, as typed.
        overrides: of the data set's settings.
        schema: as typed; None: what ``overrides`` say.

    Raises:
        UserError: an override is wrong, or the file cannot be read.
    """
    typed = ["dataset=csv", "method=mean_mode", f"dataset.path={quoted(file)}", *overrides]
    config = plain(compose(typed, config_dir))
    if schema is not None:
        config["dataset"]["schema"] = schema
    source: CSV = instantiate(config["dataset"], "dataset", CSV)
    return source.load(stream(seed, "dataset"), stream(seed, "split"))
