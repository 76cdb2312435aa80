"""Classical searches for good bitstrings, counted in distinct evaluations of C."""
