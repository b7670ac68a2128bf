"""Benchmarks, runs, protocols, measures and statistics: what answers are worth, told honestly."""
