"""MissBGM: missingness-aware imputation by Bayesian generative modelling (Liu, see ``method``)."""

from lacuna.methods.missbgm.method import MissBGM

__all__ = ["MissBGM"]
