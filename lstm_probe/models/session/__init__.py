"""Live models in a TensorFlow 1 session."""
