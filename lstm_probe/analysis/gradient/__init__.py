"""How strongly the last state, or the loss, depends on each earlier one."""
