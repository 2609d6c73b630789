"""TensorBoard event files: their records, and how they grow."""
