"""Whether the framework computes what the picture shows, and if not, where the two part."""
