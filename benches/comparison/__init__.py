"""What `benches/compare` measures, a job in each file, and what it makes of it.

A job is a function `run(cast, arguments)`; it answers what goes into `docs/performance/compare.json` under its name, always
the values of every round. `bars.py`, `tables.py` and `plots.py` read only that.
"""
