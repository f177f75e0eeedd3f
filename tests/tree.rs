//! The shape of the tree: imports point one way, and pure modules are denied floats.
