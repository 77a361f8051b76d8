"""The parts of a training run, one a file; `refvlm.train` puts them together."""
