"""`selection`: values that hide themselves."""

from lacuna.methods.selection.method import Selection

__all__ = ["Selection"]
