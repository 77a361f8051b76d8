"""The version of everything in this distribution; it is part of what every build and every result records."""

VERSION = "0.1.0"
