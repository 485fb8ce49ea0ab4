//! The tables of handlers that a driver registers, as `ndis.h` lays them out for 64-bit targets.

use super::handle::Handle;
use super::status::Status;

/// `NDIS_OBJECT_HEADER`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjectHeader {
    pub(crate) kind: u8,
    pub(crate) revision: u8,
    pub(crate) size: u16,
}

impl ObjectHeader {
    pub(crate) const fn new(kind: u8, revision: u8, size: u16) -> Self {
        Self { kind, revision, size }
    }
}

/// A handler that may be missing; pointers are passed as numbers.
macro_rules! handlers {
    (
        $(#[$doc:meta])*
        $name:ident { $($plain:ident: $plain_type:ty,)* }
        $($field:ident($($argument:ty),*) $(-> $result:ty)?;)*
    ) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct $name {
            pub(crate) header: ObjectHeader,
            $(pub(crate) $plain: $plain_type,)*
            $(pub(crate) $field: Option<unsafe extern "win64" fn($($argument),*) $(-> $result)?>,)*
        }

        impl $name {
            /// The names of the handlers that are missing.
            #[allow(dead_code, reason = "some tables are checked as a whole, some by member")]
            pub(crate) fn missing(&self) -> Vec<&'static str> {
                let mut missing = Vec::new();
                $(if self.$field.is_none() { missing.push(stringify!($field)); })*
                missing
            }
        }
    };
}

handlers! {
    /// `NDIS_MINIPORT_DRIVER_CHARACTERISTICS`, revision 2.
    MiniportCharacteristics {
        major_ndis_version: u8, minor_ndis_version: u8, major_driver_version: u8, minor_driver_version: u8,
        flags: u32,
    }
    set_options(Handle, usize) -> Status;
    initialize(Handle, usize, usize) -> Status;
    halt(usize, u32);
    unload(usize);
    pause(usize, usize) -> Status;
    restart(usize, usize) -> Status;
    oid_request(usize, usize) -> Status;
    send_net_buffer_lists(usize, usize, u32, u32);
    return_net_buffer_lists(usize, usize, u32);
    cancel_send(usize, usize);
    check_for_hang(usize) -> u8;
    reset(usize, usize) -> Status;
    device_pnp_event_notify(usize, usize);
    shutdown(usize, u32);
    cancel_oid_request(usize, usize);
    direct_oid_request(usize, usize) -> Status;
    cancel_direct_oid_request(usize, usize);
}

handlers! {
    /// `NDIS_MINIPORT_CO_CHARACTERISTICS`.
    CoMiniportCharacteristics { flags: u32, }
    co_create_vc(usize, Handle, usize) -> Status;
    co_delete_vc(usize) -> Status;
    co_activate_vc(usize, usize) -> Status;
    co_deactivate_vc(usize) -> Status;
    co_send_net_buffer_lists(usize, usize, u32);
    co_oid_request(usize, usize, usize) -> Status;
}

handlers! {
    /// `NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS`.
    CallManagerHandlers { reserved: u32, }
    create_vc(usize, Handle, usize) -> Status;
    delete_vc(usize) -> Status;
    open_af(usize, usize, Handle, usize) -> Status;
    close_af(usize) -> Status;
    register_sap(usize, usize, Handle, usize) -> Status;
    deregister_sap(usize) -> Status;
    make_call(usize, usize, Handle, usize) -> Status;
    close_call(usize, usize, usize, u32) -> Status;
    incoming_call_complete(Status, usize, usize);
    add_party(usize, usize, Handle, usize) -> Status;
    drop_party(usize, usize, u32) -> Status;
    activate_vc_complete(Status, usize, usize);
    deactivate_vc_complete(Status, usize);
    modify_call_qos(usize, usize) -> Status;
    oid_request(usize, usize, usize, usize) -> Status;
    oid_request_complete(usize, usize, usize, usize, Status);
    notify_close_af_complete(usize, Status);
}

handlers! {
    /// The first half of `NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS`, up to `EnableInterruptHandler`.
    LineHandlers { padding: u32, }
    isr(usize, usize, usize) -> u8;
    dpc(usize, usize, usize, usize);
    disable(usize);
    enable(usize);
}

handlers! {
    /// The message handlers, which follow `MsiSupported` and `MsiSyncWithAllMessages` in place of a header.
    MessageHandlers { padding: u32, }
    isr(usize, u32, usize, usize) -> u8;
    dpc(usize, u32, usize, usize, usize);
    disable(usize, u32);
    enable(usize, u32);
}

/// `NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS`. `MsiSupported` is the first byte of the header of `message`,
/// `MsiSyncWithAllMessages` the second.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InterruptCharacteristics {
    pub(crate) line: LineHandlers,
    pub(crate) message: MessageHandlers,
    pub(crate) interrupt_type: u32,
    pub(crate) message_info_table: usize,
}

const _: () = {
    assert!(size_of::<MiniportCharacteristics>() == 152);
    assert!(size_of::<CoMiniportCharacteristics>() == 56 + 8 || size_of::<CoMiniportCharacteristics>() == 56);
    assert!(size_of::<CallManagerHandlers>() == 144);
    assert!(size_of::<InterruptCharacteristics>() == 96);
};
