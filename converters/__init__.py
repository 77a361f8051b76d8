"""Readers of official annotation files, one file per source; each offers `SOURCE` (`vtinstruct.source`)."""
