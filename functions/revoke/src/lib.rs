//! The function `revoke`.
