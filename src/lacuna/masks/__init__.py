"""Observation processes, one file each: (Table, ratio, rng) -> OrdinaryMask."""
