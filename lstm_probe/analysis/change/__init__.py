"""What changed from one capture to the next: weights, gates and spectra."""
