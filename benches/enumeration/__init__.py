"""What `benches/answers` is made of. Start with `places.py`."""
