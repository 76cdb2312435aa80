"""A chip as it is used: its calibration, chains of its qubits, compiled circuits, tiles side by side, and the price."""
