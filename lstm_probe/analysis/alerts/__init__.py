"""What a layer should be looked at for, told once."""
