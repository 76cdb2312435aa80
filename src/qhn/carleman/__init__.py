"""Gradient descent as a linear system: polynomial gradients, their Carleman lift, and solvers as circuits."""
