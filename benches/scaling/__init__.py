"""What `benches/growth` measures: how the cost of a request grows with five things, and what it makes of it.

`dimensions.py` says what grows and how it is set up, `measure.py` how one size is measured; `report.py` and `picture.py` read
only what comes of that: {dimension: {sizes: [{name, size, aside}], rounds: {name: [values of each round]}}}. `users.py` is apart from them: it is
about users in a database, and prints what it finds.
"""
