"""Metrics: pure functions (Answer, Imputation) -> float; they see nothing else."""
