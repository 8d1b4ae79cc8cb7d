"""The tables of the arena: one list of real tables, as data sets and as blank patterns."""
