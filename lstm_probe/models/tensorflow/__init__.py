"""What live models of Keras and of sessions share where TensorFlow computes them."""
