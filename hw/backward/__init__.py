"""The backward pass of an LSTM layer."""
