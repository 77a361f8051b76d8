"""Whose hands a build's chunks go through: each engine offers `run(jobs, work, workers)`, and all give the same bytes."""


class EngineError(Exception):
    """An engine that cannot be used here: one line with what is missing and what would be right."""


class WorkerDied(Exception):
    """A worker process ended without an answer (killed, or out of memory)."""
