"""Which timesteps and features of the input a unit or an output comes from."""
