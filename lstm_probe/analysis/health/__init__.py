"""What the gates say of each unit: dead, stuck, copied, or not finite."""
