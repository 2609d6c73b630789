"""The room of the LSTM."""
