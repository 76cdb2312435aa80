"""The exact distribution of the bits that a noisy machine measures."""
