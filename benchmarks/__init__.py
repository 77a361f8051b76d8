"""The benchmark: scores predictions files, by official definitions, without a model and without torch.

`suites.py` says what is scored, `scorers/<metric family>.py` how, `models/<name>.py` where answers can come from,
`score.py` turns a predictions file into rows and numbers, `report.py` and `leaderboard.py` into pages. The command is
`refvlm-bench` (`cli.py`).
"""
