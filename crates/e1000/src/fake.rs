//! A card that lives in arrays.
