"""The float parent of a network: its parameters, its forward pass, and pruning."""
