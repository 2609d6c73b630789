"""What reading Keras models and reading sessions have in common where TensorFlow computes."""
