"""What the blanks of a table say about their causes: ``lacuna.diagnose``."""
