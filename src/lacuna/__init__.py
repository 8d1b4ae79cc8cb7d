"""Lacuna: learn which blanks of a table should stay blank, and fill the others with honest uncertainty."""

__version__ = "0.1.0"
