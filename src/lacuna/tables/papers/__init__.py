"""The tables of the two papers: what they ask for, what they print, and what is known of the differences."""
