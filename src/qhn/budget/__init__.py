"""QPU seconds, jobs and shots of a run: what it will need, what it may spend, and what it has spent."""
