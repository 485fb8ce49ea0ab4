//! The C types and constants that driver and kernel exchange, generated from the headers in `wdk/` that the driver is
//! built against. Pointers to functions are `extern "win64"`.

/// The C types of x64 Windows, where `long` has 32 bits.
#[allow(non_camel_case_types, reason = "the names that bindgen uses")]
pub mod ctypes {
    /// `void`.
    pub type c_void = core::ffi::c_void;
    /// `char`.
    pub type c_char = i8;
    /// `signed char`.
    pub type c_schar = i8;
    /// `unsigned char`.
    pub type c_uchar = u8;
    /// `short`.
    pub type c_short = i16;
    /// `unsigned short`.
    pub type c_ushort = u16;
    /// `int`.
    pub type c_int = i32;
    /// `unsigned int`.
    pub type c_uint = u32;
    /// `long`.
    pub type c_long = i32;
    /// `unsigned long`.
    pub type c_ulong = u32;
    /// `long long`.
    pub type c_longlong = i64;
    /// `unsigned long long`.
    pub type c_ulonglong = u64;
    /// `float`.
    pub type c_float = f32;
    /// `double`.
    pub type c_double = f64;
}

pub use generated::*;

#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unreachable_pub,
    reason = "generated from C; the reference pages document each item"
)]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated from C")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/abi.rs"));
}
