"""A device's chip: its calibration, chains of its qubits, compiled circuits, tiles side by side, and the price."""
