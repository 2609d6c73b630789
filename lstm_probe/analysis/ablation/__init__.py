"""What changes when a unit is taken away."""
