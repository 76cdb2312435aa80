"""Support vector regression whose dual is a QUBO, and what solves it: annealers, machines, a hypernetwork."""
