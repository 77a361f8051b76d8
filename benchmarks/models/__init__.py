"""Where answers come from, one file each; every file offers `MODEL` (see `benchmarks/model.py`)."""
