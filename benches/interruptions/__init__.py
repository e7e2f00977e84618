"""The parts of `benches/reload`: what happens to the process or to targets while requests are under way, and what is lost by it."""
