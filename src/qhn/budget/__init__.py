"""What a run will take of a QPU, may take, and has taken: seconds, jobs and shots."""
