"""What the blocks of a plan cost: cells by estimate, by a fitted model, by synthesis."""
