//! Call-manager clients that drive the adapter from above.
