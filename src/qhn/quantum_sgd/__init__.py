"""Gradient descent on a quantum linear solver: the loop of upload, solution and download, and its record."""
