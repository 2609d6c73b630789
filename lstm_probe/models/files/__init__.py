"""Saved models: what a file holds, read without running anything that is in it."""
