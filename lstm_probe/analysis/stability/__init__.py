"""How a network's state moves: its Jacobians along the probe, Lyapunov exponents, fixed points."""
