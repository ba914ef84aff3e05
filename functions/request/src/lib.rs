//! The function `request`.
