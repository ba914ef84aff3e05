//! The function `grant`.
