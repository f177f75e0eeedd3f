//! All integration tests, one binary: a module per subject.

mod dataset;
mod fold;
mod shared;
mod support;
mod tree;
