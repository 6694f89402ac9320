"""Cases for each block: random configurations with their words and due cycles."""
