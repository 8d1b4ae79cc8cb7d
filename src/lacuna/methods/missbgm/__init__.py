"""MissBGM: missingness-aware imputation by Bayesian generative modelling (Liu 2026)."""
