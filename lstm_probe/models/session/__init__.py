"""Reading the recurrent cells of a model that runs in a TensorFlow 1 session."""
