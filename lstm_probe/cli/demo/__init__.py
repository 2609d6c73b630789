"""The sample log of `lstm-probe demo`: a small network in plain NumPy that is trained twice."""
