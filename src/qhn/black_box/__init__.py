"""Costs that are the user's own functions: found without running them, evaluated in processes, kept on disk."""
