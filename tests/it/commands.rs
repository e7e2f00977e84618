//! What the commands do, as processes.
