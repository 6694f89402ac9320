"""Blocks that networks are made of; each takes its record of `fxsim.plan`."""
