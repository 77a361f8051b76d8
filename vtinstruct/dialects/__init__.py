"""One file per answer format of another model; each offers `DIALECT`."""
