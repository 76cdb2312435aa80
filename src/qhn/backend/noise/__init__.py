"""The distribution of the bits that a noisy machine measures, computed exactly."""
