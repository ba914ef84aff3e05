//! The operator tool.
