"""Which method for one table: cells are hidden again in the manner of its own blanks, and methods tried on them."""
