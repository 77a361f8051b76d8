"""Metric families, one file each; every file offers `SCORER` (see `benchmarks/scorer.py`)."""
