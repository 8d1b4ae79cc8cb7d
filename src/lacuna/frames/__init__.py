"""DataFrames and files, in and out."""
