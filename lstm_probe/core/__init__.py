"""The foundation of all other rooms: arrays, errors, activations, masks and the trace."""
