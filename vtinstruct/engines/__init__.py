"""Whose hands a build's chunks go through: each engine offers `run(jobs, work, workers)`, and all give the same bytes."""
