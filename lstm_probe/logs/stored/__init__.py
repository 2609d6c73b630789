"""The format in which a capture is stored, what it must hold, and who reads it."""
