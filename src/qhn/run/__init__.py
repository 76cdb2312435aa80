"""One training run: the loop as an iterator of steps, the rules that end it, its record on disk, and its replay."""
