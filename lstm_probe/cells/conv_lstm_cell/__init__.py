"""The room of the convolutional LSTM."""
