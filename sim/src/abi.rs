//! The C types that driver and kernel exchange.
