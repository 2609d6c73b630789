"""Live models of Keras 3, on each of its backends, and of Keras 2."""
