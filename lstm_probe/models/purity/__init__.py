"""What a pass through a user's model changes in Python: seen, and put back."""
