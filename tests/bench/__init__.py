"""Benchmarks: `make bench`. They compare within one run and print ratios and CPU time; they are never timed tests."""
