//! The function `notify`.
