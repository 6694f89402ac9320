"""Which hardware computes a network, and how large it is; nothing of when it does what."""
