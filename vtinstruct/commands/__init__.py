"""The commands of `vtinstruct`, a file a family; `vtinstruct.cli` puts them together."""
