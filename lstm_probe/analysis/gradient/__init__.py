"""How strongly the last state, or a loss, depends on each earlier step."""
