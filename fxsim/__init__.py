"""fxsim: from a trained neural network to verified fixed-point hardware, bit for bit."""

__version__ = "0.1.0"
