"""One file per format that a dataset can be exported to; each offers `EXPORT`."""
