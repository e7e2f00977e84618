//! What is shipped with the code fits the code.
