"""Networks; each states its input and output shapes."""
