"""Which method for which table: what records say about many methods on many tables."""
