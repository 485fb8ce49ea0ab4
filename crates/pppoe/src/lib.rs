//! pppoe
