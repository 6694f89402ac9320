"""Drivers, monitors and simulators: the parts of a bench, also of a user's own."""
