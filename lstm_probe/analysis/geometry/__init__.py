"""How the states of a layer lie: in how many dimensions, along which axes, and as when before."""
