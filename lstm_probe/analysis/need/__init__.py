"""How far back the data matter for the target, beside how far back the network remembers."""
