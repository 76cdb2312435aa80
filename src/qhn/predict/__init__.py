"""Predictions by the networks that a trained circuit yields, and their calibration."""
