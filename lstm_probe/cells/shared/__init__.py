"""What several cells compute in the same way."""
