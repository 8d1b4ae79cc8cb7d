"""Chained equations whose draws an analysis can be built on."""

from lacuna.methods.chained.method import Chained

__all__ = ["Chained"]
