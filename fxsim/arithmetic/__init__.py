"""Numbers, without networks: formats, rounding, random words, tensors, tables, windows."""
