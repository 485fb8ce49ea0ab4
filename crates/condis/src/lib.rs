//! condis
