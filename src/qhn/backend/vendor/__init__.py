"""Machines of any vendor: Qiskit's ``BackendV2`` objects and V2 samplers, given in Python, by a plug-in or by name."""
