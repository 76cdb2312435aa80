"""Classical searches for the lowest C, counted in different bitstrings evaluated."""
