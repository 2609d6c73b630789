"""The room of the simple recurrent network."""
