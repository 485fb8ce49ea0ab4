//! The table of exports.

use super::{
    activation, address_family as af, attributes, bus, call, configuration, dma, driver, incoming,
    indication, interrupt, lifecycle, modification, net_buffer, oid, receive, refused, role, sap, send,
    system, timer, vc, work_item,
};
use crate::image::Export;

macro_rules! table {
    ($($name:ident = $function:path;)*) => {
        vec![$(Export::routine("NDIS.SYS", stringify!($name), $function as *const () as usize)),*]
    };
}

/// Everything that `ndis.sys` offers a driver here.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn exports() -> Vec<Export> {
    table! {
        NdisMRegisterMiniportDriver = driver::register;
        NdisMDeregisterMiniportDriver = driver::deregister;
        NdisSetOptionalHandlers = driver::set_optional_handlers;
        NdisMSetMiniportAttributes = attributes::set;
        NdisMPauseComplete = lifecycle::pause_complete;
        NdisMRestartComplete = lifecycle::restart_complete;
        NdisMResetComplete = lifecycle::reset_complete;
        NdisMRemoveMiniport = lifecycle::remove_miniport;

        NdisMCmRegisterAddressFamilyEx = af::register;
        NdisCmOpenAddressFamilyComplete = af::open_complete;
        NdisCmCloseAddressFamilyComplete = af::close_complete;
        NdisCmNotifyCloseAddressFamily = af::notify_close;
        NdisCmRegisterSapComplete = sap::register_complete;
        NdisCmDeregisterSapComplete = sap::deregister_complete;
        NdisMCmCreateVc = vc::driver_create;
        NdisMCmDeleteVc = vc::driver_delete;
        NdisMCmActivateVc = activation::activate;
        NdisMCmDeactivateVc = activation::deactivate;
        NdisCmMakeCallComplete = call::make_call_complete;
        NdisCmCloseCallComplete = call::close_call_complete;
        NdisCmModifyCallQoSComplete = modification::complete;
        NdisCmDispatchIncomingCloseCall = call::dispatch_close;
        NdisCmDispatchIncomingCallQoSChange = modification::dispatch;
        NdisCmDispatchIncomingCall = incoming::dispatch;
        NdisCmDispatchCallConnected = incoming::connected;
        NdisMCmOidRequest = oid::driver_request;
        NdisCoOidRequestComplete = oid::cm_complete;
        NdisMCoOidRequestComplete = oid::co_complete;
        NdisMOidRequestComplete = oid::miniport_complete;
        NdisMCoSendNetBufferListsComplete = send::complete;
        NdisMSendNetBufferListsComplete = refused::connectionless_complete;
        NdisMCoIndicateReceiveNetBufferLists = receive::indicate;
        NdisMIndicateReceiveNetBufferLists = receive::connectionless_indicate;
        NdisMCoIndicateStatusEx = indication::co_indicate;
        NdisMIndicateStatusEx = indication::indicate;

        NdisCmActivateVc = role::cm_activate_vc;
        NdisCmDeactivateVc = role::cm_deactivate_vc;
        NdisCmAddPartyComplete = role::add_party_complete;
        NdisCmDropPartyComplete = role::drop_party_complete;
        NdisCmDispatchIncomingDropParty = role::dispatch_drop_party;
        NdisMCoActivateVcComplete = role::activate_vc_complete;
        NdisMCoDeactivateVcComplete = role::deactivate_vc_complete;
        NdisCoCreateVc = role::co_create_vc;
        NdisCoDeleteVc = role::co_delete_vc;

        NdisOpenConfigurationEx = configuration::open;
        NdisReadConfiguration = configuration::read;
        NdisReadNetworkAddress = configuration::read_network_address;
        NdisCloseConfiguration = configuration::close;

        NdisMGetBusData = bus::get_data;
        NdisMSetBusData = bus::set_data;
        NdisMMapIoSpace = bus::map_io_space;
        NdisMUnmapIoSpace = bus::unmap_io_space;
        NdisMRegisterIoPortRange = bus::register_ports;
        NdisMDeregisterIoPortRange = bus::deregister_ports;
        NdisMGetDeviceProperty = bus::device_property;
        NdisMRegisterScatterGatherDma = dma::register;
        NdisMDeregisterScatterGatherDma = dma::deregister;
        NdisMAllocateSharedMemory = dma::allocate_shared;
        NdisMFreeSharedMemory = dma::free_shared;
        NdisMAllocateNetBufferSGList = dma::allocate_list;
        NdisMFreeNetBufferSGList = dma::free_list;
        NdisMRegisterInterruptEx = interrupt::register;
        NdisMDeregisterInterruptEx = interrupt::deregister;
        NdisMSynchronizeWithInterruptEx = interrupt::synchronize;
        NdisMQueueDpc = interrupt::queue_dpc;
        NdisMQueueDpcEx = interrupt::queue_dpc_ex;

        NdisAllocateNetBufferListPool = net_buffer::allocate_list_pool;
        NdisFreeNetBufferListPool = net_buffer::free_list_pool;
        NdisAllocateNetBufferList = net_buffer::allocate_list;
        NdisAllocateNetBufferAndNetBufferList = net_buffer::allocate_list_and_buffer;
        NdisFreeNetBufferList = net_buffer::free_list;
        NdisAllocateNetBufferPool = net_buffer::allocate_buffer_pool;
        NdisFreeNetBufferPool = net_buffer::free_buffer_pool;
        NdisAllocateNetBuffer = net_buffer::allocate_buffer;
        NdisFreeNetBuffer = net_buffer::free_buffer;
        NdisAllocateMdl = net_buffer::allocate_mdl;
        NdisFreeMdl = net_buffer::free_mdl;
        NdisGetDataBuffer = net_buffer::get_data_buffer;
        NdisAdvanceNetBufferDataStart = net_buffer::advance;
        NdisAdvanceNetBufferListDataStart = net_buffer::advance_list;
        NdisRetreatNetBufferDataStart = net_buffer::retreat;
        NdisRetreatNetBufferListDataStart = net_buffer::retreat_list;
        NdisCopyFromNetBufferToNetBuffer = net_buffer::copy_data;

        NdisAllocateTimerObject = timer::allocate;
        NdisSetTimerObject = timer::set;
        NdisSetCoalescableTimerObject = timer::set_coalescable;
        NdisCancelTimerObject = timer::cancel;
        NdisFreeTimerObject = timer::free;
        NdisAllocateIoWorkItem = work_item::allocate;
        NdisQueueIoWorkItem = work_item::queue;
        NdisFreeIoWorkItem = work_item::free;

        NdisAllocateMemoryWithTagPriority = system::allocate;
        NdisFreeMemory = system::free;
        NdisInitializeEvent = system::initialize_event;
        NdisSetEvent = system::set_event;
        NdisResetEvent = system::reset_event;
        NdisWaitEvent = system::wait_event;
        NdisMSleep = system::sleep;
        NdisWriteErrorLogEntry = system::write_error_log;
        NdisGetVersion = system::version;
        NdisGetSystemUpTimeEx = system::up_time;
    }
}
