"""Records and published numbers -> tables."""
