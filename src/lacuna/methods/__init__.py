"""Imputation methods, one file each, over the contract in ``lacuna.methods.base``."""

from lacuna.methods.base import Method, Monitor

__all__ = ["Method", "Monitor"]
