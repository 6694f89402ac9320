"""FPGAs that networks are made for."""
