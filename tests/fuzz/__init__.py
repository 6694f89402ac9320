"""Fuzzer of every kind of file that fxsim reads (`make fuzz-files`)."""
