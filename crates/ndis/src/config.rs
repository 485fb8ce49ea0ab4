//! The registry parameters of an adapter.

use core::ptr::{self, NonNull};
use core::slice;

use ndis_sys::{
    NDIS_CONFIGURATION_OBJECT, NDIS_CONFIGURATION_PARAMETER, NDIS_HANDLE, NDIS_STATUS,
    NdisCloseConfiguration, NdisOpenConfigurationEx, NdisReadConfiguration, NdisReadNetworkAddress,
};
use wdk_sys::UNICODE_STRING;

use crate::header::header;
use crate::initialize::Initialize;
use crate::status::{Result, Status};

/// The longest keyword name in UTF-16 units.
const NAME_UNITS: usize = 32;

/// An open configuration; closed by Drop at `PASSIVE_LEVEL`. What NDIS returns dies with it, so values are copied.
#[derive(Debug)]
pub struct Configuration {
    handle: NDIS_HANDLE,
}

impl Configuration {
    /// `NdisOpenConfigurationEx`.
    pub fn open(init: &Initialize<'_>) -> Result<Self> {
        let mut object = NDIS_CONFIGURATION_OBJECT {
            Header: header(
                ndis_sys::NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT,
                ndis_sys::NDIS_CONFIGURATION_OBJECT_REVISION_1,
                ndis_sys::NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1,
            ),
            NdisHandle: init.handle().0,
            Flags: 0,
        };
        let mut handle: NDIS_HANDLE = ptr::null_mut();
        // SAFETY: the object is complete; `handle` is written on success.
        Status::from_raw(unsafe { NdisOpenConfigurationEx(&raw mut object, &raw mut handle) }).ok()?;
        Ok(Self { handle })
    }

    fn parameter(&self, name: &str, kind: i32) -> Option<NonNull<NDIS_CONFIGURATION_PARAMETER>> {
        let mut units = [0_u16; NAME_UNITS];
        let mut count: u16 = 0;
        for (slot, unit) in units.iter_mut().zip(name.encode_utf16()) {
            *slot = unit;
            count = count.saturating_add(2);
        }
        let mut keyword = UNICODE_STRING { Length: count, MaximumLength: count, Buffer: units.as_mut_ptr() };
        let mut status: NDIS_STATUS = Status::FAILURE.code();
        let mut value: *mut NDIS_CONFIGURATION_PARAMETER = ptr::null_mut();
        // SAFETY: the handle is open, the name lives across the call, both results are written.
        unsafe {
            NdisReadConfiguration(&raw mut status, &raw mut value, self.handle, &raw mut keyword, kind);
        }
        if status == Status::SUCCESS.code() { NonNull::new(value) } else { None }
    }

    /// `NdisReadConfiguration` of a number (`REG_DWORD`, or a decimal string, which NDIS converts).
    pub fn integer(&self, name: &str) -> Option<u32> {
        let value = self.parameter(name, ndis_sys::_NDIS_PARAMETER_TYPE::NdisParameterInteger)?;
        // SAFETY: NDIS returned a parameter that is valid while the configuration is open.
        let value = unsafe { value.as_ref() };
        let is_number = value.ParameterType == ndis_sys::_NDIS_PARAMETER_TYPE::NdisParameterInteger
            || value.ParameterType == ndis_sys::_NDIS_PARAMETER_TYPE::NdisParameterHexInteger;
        // SAFETY: whatever the union holds, its bytes are a valid number.
        is_number.then_some(unsafe { value.ParameterData.IntegerData })
    }

    /// `NdisReadConfiguration` of a string, handed to `read` as UTF-16 without a terminator.
    pub fn string<R>(&self, name: &str, read: impl FnOnce(&[u16]) -> R) -> Option<R> {
        let value = self.parameter(name, ndis_sys::_NDIS_PARAMETER_TYPE::NdisParameterString)?;
        // SAFETY: NDIS returned a parameter that is valid while the configuration is open.
        let value = unsafe { value.as_ref() };
        if value.ParameterType != ndis_sys::_NDIS_PARAMETER_TYPE::NdisParameterString {
            return None;
        }
        // SAFETY: the type says which member of the union holds.
        let string = unsafe { value.ParameterData.StringData };
        let units = NonNull::new(string.Buffer)?;
        // SAFETY: a UNICODE_STRING counts `Length` bytes behind its pointer, valid while the configuration is open.
        let units = unsafe { slice::from_raw_parts(units.as_ptr(), usize::from(string.Length / 2)) };
        Some(read(units))
    }

    /// `NdisReadNetworkAddress`: the six bytes that an administrator put in place of the card's own address.
    pub fn network_address(&self) -> Option<[u8; 6]> {
        let mut status: NDIS_STATUS = Status::FAILURE.code();
        let mut address: *mut core::ffi::c_void = ptr::null_mut();
        let mut length: u32 = 0;
        // SAFETY: the handle is open, all results are written.
        unsafe {
            NdisReadNetworkAddress(&raw mut status, &raw mut address, &raw mut length, self.handle);
        }
        if status != Status::SUCCESS.code() || length != 6 || address.is_null() {
            return None;
        }
        // SAFETY: NDIS returned six bytes that are valid while the configuration is open.
        Some(unsafe { address.cast::<[u8; 6]>().read_unaligned() })
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once.
        unsafe { NdisCloseConfiguration(self.handle) };
    }
}
