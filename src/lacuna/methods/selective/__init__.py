"""`selective`: any imputer, made selective by the probability that a blank is meaningful."""

from lacuna.methods.selective.method import Selective
from lacuna.methods.selective.posterior import MeaningfulPosterior

__all__ = ["MeaningfulPosterior", "Selective"]
