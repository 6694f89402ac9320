"""AXI and the memory check: the edges of the generated chip."""
