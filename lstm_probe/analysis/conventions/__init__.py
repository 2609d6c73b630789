"""Known conventions that explain why a framework and the equations of a cell do not match."""
