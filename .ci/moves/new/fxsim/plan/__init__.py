"""The hardware of a network, and how large it is."""
