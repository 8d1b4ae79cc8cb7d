"""What people look at: the terminal, the page of a completed table, plots."""
