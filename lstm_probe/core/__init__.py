"""What everything else stands on: arrays, errors, activations, masks and the trace."""
