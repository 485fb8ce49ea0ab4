//! The locks of an adapter, and the order in which they are taken. The compiler keeps it.
//!
//! Inside all of these, and with nothing inside, are the leaves: `Lines::taken`, and the lock of those who write to `Calls::routes`,
//! also under `Sessions`.

ndis::lock_order! {
    nested {
        /// `Calls::discoveries`.
        Discoveries,
        /// `Calls::offered`.
        Offered,
        /// `Calls::sessions`.
        Sessions,
        /// `Vc::life`.
        Life,
        /// `AddressFamily::open`.
        Open,
        /// `Adapter::link`.
        Link,
    }
    alone {
        /// `Adapter::families`.
        Families,
        /// `Adapter::state`.
        State,
        /// `Sap::state`.
        Sap,
        /// `Adapter::transmit`.
        Transmit,
        /// `Adapter::receive`.
        Receive,
        /// `Adapter::hardware_statistics`.
        HardwareStatistics,
    }
}
