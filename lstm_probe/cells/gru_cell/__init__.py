"""The room of the GRU."""
