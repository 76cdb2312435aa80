"""One training: the loop as an iterator of steps, its record on disk, when it ends, and again from its bits."""
