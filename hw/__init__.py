"""Amaranth generators: from a `fxsim.network.QuantizedNetwork` to Verilog."""
