"""Cost of the blocks of a plan: cells by estimate, by a fitted model, by synthesis."""
