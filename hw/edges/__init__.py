"""AXI, frames and control: the edges of the generated chip."""
