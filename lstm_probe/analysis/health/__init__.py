"""What the gates say about each unit: saturated, stuck, dead, a copy of another, not finite."""
