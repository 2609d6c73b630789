"""Known conventions that explain why a framework and these equations part."""
