"""What the commands on a file share: one-line errors, and names as the configuration takes them."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from typing import NoReturn

from hydra.core.override_parser.types import Quote, QuotedString

from lacuna.config.compose import literal
from lacuna.errors import UserError


class Parser(ArgumentParser):
    """Raises a UserError where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ({self.prog} --help)")


def quoted(text: str) -> str:
    """A name of a file or column as an override's value: nothing in it is looked up."""
    return QuotedString(literal(text), Quote.single).with_quotes()


def names_in(text: str) -> list[str]:
    """
    >>> names_in('income, "town, district"')
    ['income', 'town, district']
    """
    (names,) = csv.reader([text], skipinitialspace=True)
    return names
