"""What every callback and hook shares: what a capture may cost, and what is told of it."""
