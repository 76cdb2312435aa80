"""Trained circuits in use: predictions by all networks that a circuit yields, and how far their probabilities hold."""
