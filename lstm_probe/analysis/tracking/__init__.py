"""Which unit follows which series."""
