"""Zero skipping on gate gradients: what a unit would save."""
