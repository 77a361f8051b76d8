"""The tasks: one file each, found by its name (`plugins.names("vtinstruct.tasks")`). `_shared.py` is furniture."""
