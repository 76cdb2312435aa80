"""Benchmarks: medians of interleaved rounds, and ratios against a peer timed in the same run."""
