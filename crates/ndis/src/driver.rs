//! The driver object: registration from `DriverEntry`, the two CoNDIS tables, unload.

use core::ffi::c_void;
use core::mem::size_of;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use ndis_sys::{
    NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS, NDIS_HANDLE, NDIS_MINIPORT_CO_CHARACTERISTICS,
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_OBJECT_HEADER, NDIS_STATUS, NdisMDeregisterMiniportDriver,
    NdisMRegisterMiniportDriver, NdisSetOptionalHandlers,
};
use wdk_sys::{DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING, PDRIVER_OBJECT};

use crate::call_manager::{self, CallManager};
use crate::header::header;
use crate::miniport;
use crate::status::{Result, Status};

/// The NDIS version that the driver declares: 6.40, that of Windows 8.1, which every later system accepts.
pub const NDIS_MAJOR_VERSION: u8 = 6;
/// See [`NDIS_MAJOR_VERSION`].
pub const NDIS_MINOR_VERSION: u8 = 40;

/// What `NdisMRegisterMiniportDriver` returned, for the unload handler, which NDIS gives no context.
static DRIVER: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// The version of the driver itself, which NDIS keeps beside its handlers.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// `MajorDriverVersion`.
    pub major: u8,
    /// `MinorDriverVersion`.
    pub minor: u8,
}

/// Registers the miniport call manager `A` with NDIS; to be called once, as the last step of `DriverEntry`,
/// since callbacks may come before it returns. IRQL: `PASSIVE_LEVEL`.
///
/// Errors: what `NdisMRegisterMiniportDriver` returns, among it `BAD_VERSION` where NDIS is older than 6.40.
///
/// # Safety
/// `driver` and `registry_path` must be the arguments of `DriverEntry`.
pub unsafe fn register<A: CallManager>(
    driver: &mut DRIVER_OBJECT,
    registry_path: PCUNICODE_STRING,
    version: Version,
) -> NTSTATUS {
    let mut characteristics = NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
        Header: header(
            ndis_sys::NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
            ndis_sys::NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
            ndis_sys::NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
        ),
        MajorNdisVersion: NDIS_MAJOR_VERSION,
        MinorNdisVersion: NDIS_MINOR_VERSION,
        MajorDriverVersion: version.major,
        MinorDriverVersion: version.minor,
        SetOptionsHandler: Some(set_options::<A>),
        UnloadHandler: Some(unload),
        ..Default::default()
    };
    miniport::install_handlers::<A>(&mut characteristics);
    let mut handle: NDIS_HANDLE = ptr::null_mut();
    // SAFETY: both pointers come from `DriverEntry`; NDIS copies the characteristics; the handle outlives the call.
    let status = unsafe {
        NdisMRegisterMiniportDriver(
            driver,
            registry_path.cast_mut(),
            ptr::null_mut(),
            &raw mut characteristics,
            &raw mut handle,
        )
    };
    if status == Status::SUCCESS.code() {
        DRIVER.store(handle, Ordering::Release);
    }
    status
}

/// `MiniportSetOptions` (`MINIPORT_SET_OPTIONS`), IRQL: `PASSIVE_LEVEL`, inside `NdisMRegisterMiniportDriver`.
unsafe extern "C" fn set_options<A: CallManager>(driver: NDIS_HANDLE, _context: NDIS_HANDLE) -> NDIS_STATUS {
    let mut miniport = NDIS_MINIPORT_CO_CHARACTERISTICS {
        Header: header(
            ndis_sys::NDIS_OBJECT_TYPE_CO_MINIPORT_CHARACTERISTICS,
            ndis_sys::NDIS_MINIPORT_CO_CHARACTERISTICS_REVISION_1,
            ndis_sys::NDIS_SIZEOF_MINIPORT_CO_CHARACTERISTICS_REVISION_1,
        ),
        ..Default::default()
    };
    call_manager::install_miniport_handlers::<A>(&mut miniport);
    let mut manager = NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS {
        // The documented size ends before CmNotifyCloseAfCompleteHandler, which is filled in all the same.
        Header: header(
            ndis_sys::NDIS_OBJECT_TYPE_CO_CALL_MANAGER_OPTIONAL_HANDLERS,
            ndis_sys::NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS_REVISION_1,
            ndis_sys::NDIS_SIZEOF_CO_CALL_MANAGER_OPTIONAL_HANDLERS_REVISION_1,
        ),
        ..Default::default()
    };
    call_manager::install_call_manager_handlers::<A>(&mut manager);
    let mut install = || -> Result<()> {
        set_optional_handlers(driver, &mut miniport.Header)?;
        set_optional_handlers(driver, &mut manager.Header)
    };
    Status::from(install()).code()
}

/// Hands one table to NDIS, which copies it.
fn set_optional_handlers(driver: NDIS_HANDLE, table: &mut NDIS_OBJECT_HEADER) -> Result<()> {
    const { assert!(size_of::<NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS>() == 144) };
    // SAFETY: `driver` is the handle that MiniportSetOptions received; the header is the first member of a table
    // of the type and at least the size that it names.
    Status::from_raw(unsafe { NdisSetOptionalHandlers(driver, ptr::from_mut(table).cast()) }).ok()
}

/// `MiniportDriverUnload`, IRQL: `PASSIVE_LEVEL`, after the last adapter was halted.
unsafe extern "C" fn unload(_driver: PDRIVER_OBJECT) {
    let handle = DRIVER.swap(ptr::null_mut(), Ordering::AcqRel);
    if !handle.is_null() {
        // SAFETY: the handle comes from NdisMRegisterMiniportDriver and is given up once, by the swap.
        unsafe { NdisMDeregisterMiniportDriver(handle) };
    }
}
