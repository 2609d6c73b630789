"""What training changed in a layer from one capture to the next: weights, hidden states, gates."""
