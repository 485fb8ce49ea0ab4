//! The cable to what runs in a network namespace.

use std::{os::fd::RawFd, time::Duration};

use super::{LinuxInterface, Namespace, StartError, Wire};

/// A cable with something at its far end. Dropping it ends that and removes the namespace.
pub struct Cable<P> {
    // In this order they go: the socket closes before its interface does.
    interface: LinuxInterface,
    peer: P,
    namespace: Namespace,
}

impl<P> Cable<P> {
    /// Connects this process to the namespace that `peer` is in.
    pub(super) fn lay(namespace: Namespace, peer: P) -> Result<Self, StartError> {
        let interface = LinuxInterface::open(namespace.near_end()).map_err(StartError::Interface)?;
        Ok(Self { interface, peer, namespace })
    }

    /// What is at the far end.
    pub(super) fn peer(&self) -> &P {
        &self.peer
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The interface in this namespace, for a capture tool to watch.
    pub fn interface(&self) -> &str {
        self.namespace.near_end()
    }
}

impl<P> Wire for Cable<P> {
    fn send(&mut self, now: Duration, frame: &[u8]) {
        self.interface.send(now, frame);
    }

    fn receive(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.interface.receive(now)
    }

    fn deadline(&self) -> Option<Duration> {
        self.interface.deadline()
    }

    fn fd(&self) -> Option<RawFd> {
        self.interface.fd()
    }
}
