"""VT-Instruct: the language all rooms speak, and the dataset built in it.

Import what you need from its file: `vtinstruct.trp` (render, parse), `vtinstruct.record` (Record, Region),
`vtinstruct.dialogue`, `vtinstruct.shards` (read what was built), `vtinstruct.photos` (open its pictures),
`vtinstruct.prediction` (hand answers to the benchmark). Nothing heavy is imported here.
"""

from vtinstruct.version import VERSION as __version__

__all__ = ["__version__"]
