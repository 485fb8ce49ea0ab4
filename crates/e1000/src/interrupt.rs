//! Interrupts: causes, the shared line, MSI-X vectors and moderation (SDM 13.4.17 to 13.4.21, 82574 7.4 and 10.2.4).
//!
//! On the line, the interrupt routine takes all causes and masks the card ([`Nic::claim_line`]); the deferred routine
//! serves both rings and the link, then unmasks it ([`Nic::rearm_line`]). What happens in between stays in ICR and
//! asserts the line again. With MSI-X the card itself masks a queue's cause when its message leaves (EIAC; and EIAME with
//! IAM, as the datasheet can be read to ask for, too), so the interrupt routine touches no register ([`Nic::acknowledge`])
//! and the deferred one ends with [`Nic::rearm`]. A single message is served like the line.

use bitflags::bitflags;

use crate::registers::{CtrlExt, Eiac, Eitr, Iam, Icr, Ics, Imc, Ims, Itr, Ivar, Register};
use crate::{Error, Family, Nic, Registers};

bitflags! {
    /// Interrupt causes, as in ICR, ICS, IMS and IMC.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Causes: u32 {
        /// A transmit descriptor was written back.
        const TXDW = 1 << 0;
        /// The transmit ring ran empty.
        const TXQE = 1 << 1;
        /// The link changed.
        const LSC = 1 << 2;
        /// Receive descriptors run low.
        const RXDMT0 = 1 << 4;
        /// Receive overrun: a frame was lost or waits for a descriptor.
        const RXO = 1 << 6;
        /// A frame was received.
        const RXT0 = 1 << 7;
        /// 82574: a frame arrived in receive queue 0.
        const RXQ0 = 1 << 20;
        /// 82574: a descriptor of transmit queue 0 was written back.
        const TXQ0 = 1 << 22;
        /// 82574: any other cause, with MSI-X.
        const OTHER = 1 << 24;
        /// 82574: the interrupt line is asserted.
        const INT_ASSERTED = 1 << 31;
    }
}

impl Causes {
    /// What asks for service on the line.
    pub const LINE: Self = Self::TXDW.union(Self::LSC).union(Self::RXDMT0).union(Self::RXO).union(Self::RXT0);
    /// What asks for service through MSI-X messages.
    pub const MESSAGES: Self = Self::QUEUES.union(Self::OTHER_VECTOR);
    /// What the first two vectors report.
    const QUEUES: Self = Self::RXQ0.union(Self::TXQ0);
    /// What the third vector reports: OTHER is its message, LSC the only cause behind it that is enabled.
    const OTHER_VECTOR: Self = Self::OTHER.union(Self::LSC);

    /// Whether the receive ring may have frames or wants buffers.
    pub fn receive(self) -> bool {
        self.intersects(Self::RXT0.union(Self::RXDMT0).union(Self::RXO).union(Self::RXQ0))
    }
    /// Whether the transmit ring may have completions.
    pub fn transmit(self) -> bool {
        self.intersects(Self::TXDW.union(Self::TXQE).union(Self::TXQ0))
    }
    /// Whether the link changed.
    pub fn link(self) -> bool {
        self.contains(Self::LSC)
    }
}

/// How the card interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The PCI interrupt line.
    Line,
    /// One message for everything: MSI, or MSI-X of which there are less than three. 82574 only.
    Single,
    /// Three MSI-X messages, see [`Vector`]. 82574 only.
    Messages,
}

impl Delivery {
    /// What is unmasked. With MSI-X only causes that have a vector send its message; without, they never come.
    fn causes(self) -> Causes {
        match self {
            Self::Line => Causes::LINE,
            Self::Single => Causes::LINE.union(Causes::MESSAGES),
            Self::Messages => Causes::MESSAGES,
        }
    }
}

/// What an MSI-X message reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vector {
    /// Message 0: frames received.
    Receive,
    /// Message 1: frames sent.
    Transmit,
    /// Message 2: the link changed.
    Other,
}

impl Vector {
    /// All vectors in the order of their message numbers.
    pub const ALL: [Self; 3] = [Self::Receive, Self::Transmit, Self::Other];

    /// The vector of a message number.
    pub fn from_message(message: u32) -> Option<Self> {
        match message {
            0 => Some(Self::Receive),
            1 => Some(Self::Transmit),
            2 => Some(Self::Other),
            _ => None,
        }
    }

    /// The message number.
    pub fn message(self) -> u32 {
        match self {
            Self::Receive => 0,
            Self::Transmit => 1,
            Self::Other => 2,
        }
    }

    /// What is masked while the vector is served.
    fn causes(self) -> Causes {
        match self {
            Self::Receive => Causes::RXQ0,
            Self::Transmit => Causes::TXQ0,
            Self::Other => Causes::OTHER_VECTOR,
        }
    }

    /// The IVAR field's value: the message number and a valid bit.
    fn allocation(self) -> u32 {
        self.message() | 1 << 3
    }
}

impl<R: Registers> Nic<R> {
    /// Sets up how the card interrupts, and unmasks it. Up to `DISPATCH_LEVEL`; the interrupt routine may run at once.
    ///
    /// # Errors
    /// [`Error::NoMessages`], [`Error::Gone`].
    pub fn enable_interrupts(&self, delivery: Delivery) -> Result<(), Error> {
        if delivery != Delivery::Line && self.model.messages == 0 {
            return Err(Error::NoMessages);
        }
        if self.model.family == Family::I82574 {
            self.allocate_vectors(delivery)?;
        }
        self.unmask(delivery.causes());
        Ok(())
    }

    /// Masks all causes. Any IRQL. Messages already sent still arrive, and an interrupt or deferred routine that still runs
    /// unmasks again, unless the host prevents it.
    pub fn disable_interrupts(&self) {
        self.bus.write(Imc::from_bits(u32::MAX));
    }

    /// The interrupt routine on the line, or of the single message: the causes, if the card is the one that interrupts.
    /// All causes are then masked and cleared; [`Nic::rearm_line`] unmasks them. Device IRQL.
    ///
    /// While the card is masked it cannot have asserted the line, and its causes must stay for [`Nic::rearm_line`] to
    /// find, so ICR, which reading clears, is only read when IMS is not zero. IMS is asked rather than remembered: a
    /// copy would disagree with the card for a moment when another processor unmasks. The 8254x lacks `INT_ASSERTED`,
    /// and this rule does without it on the 82574 too.
    ///
    /// ICR is read while the card is masked: should something happen on an 82574 at the very moment of a read that finds
    /// nothing, because another device asserted the line, it would set its cause and never assert the line (82574
    /// specification update, erratum 12 as other drivers cite it). Unmasking a cause that is set asserts it. The card
    /// must not be masked for good meanwhile, see [`Nic::disable_interrupts`].
    ///
    /// # Errors
    /// [`Error::Gone`]: the interrupt is not ours, and the card needs no more service.
    pub fn claim_line(&self, delivery: Delivery) -> Result<Option<Causes>, Error> {
        let enabled = self.bus.read::<Ims>()?.bits();
        if enabled == 0 {
            return Ok(None);
        }
        self.disable_interrupts();
        let causes = self.bus.read::<Icr>()?.bits();
        if causes & enabled == 0 {
            self.bus.write(Ims::from_bits(enabled));
            return Ok(None);
        }
        if delivery == Delivery::Single {
            // With MSI-X the read may have cleared nothing (82574 10.2.4.1). What comes from here on is found by who serves this.
            self.bus.write(Icr::from_bits(causes));
        }
        Ok(Some(Causes::from_bits_truncate(causes)))
    }

    /// The end of the deferred routine on the line, or of the single message. Up to device IRQL.
    pub fn rearm_line(&self, delivery: Delivery) {
        self.unmask(delivery.causes());
    }

    /// The interrupt routine of a message: what it reports. The vector is masked until [`Nic::rearm`]. Device IRQL.
    ///
    /// A message may come without cause or twice, so its causes are hints.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn acknowledge(&self, vector: Vector) -> Result<Causes, Error> {
        if vector != Vector::Other {
            // EIAC has cleared and masked the queue's cause as the message left.
            return Ok(vector.causes());
        }
        self.bus.write(Imc::from_bits(Causes::OTHER_VECTOR.bits()));
        let causes = self.bus.read::<Icr>()?.bits();
        // Whether the read cleared ICR depends on IMS and `CTRL_EXT.IAME` (82574 10.2.4.1), so it is cleared explicitly,
        // all but the queues' causes. The datasheet is against reading ICR while EIAC is in use (10.2.4.7), as Intel's
        // own drivers do as well, there being no other way to tell the causes: should the read have cleared those of
        // the queues, they are set again.
        let queues = causes & Causes::QUEUES.bits();
        self.bus.write(Icr::from_bits(causes ^ queues));
        if queues != 0 {
            self.bus.write(Ics::from_bits(queues));
        }
        Ok(Causes::from_bits_truncate(causes) & Causes::OTHER_VECTOR)
    }

    /// The end of a message's deferred routine. Up to device IRQL.
    pub fn rearm(&self, vector: Vector) {
        self.unmask(vector.causes());
    }

    /// Interrupts for the receive ring as if a frame had arrived: for frames that are left in it. After [`Nic::rearm`] or
    /// [`Nic::rearm_line`]; up to device IRQL.
    pub fn receive_again(&self, delivery: Delivery) {
        self.trigger(match delivery {
            Delivery::Line => Causes::RXT0,
            Delivery::Single => Causes::RXT0.union(Causes::RXQ0),
            Delivery::Messages => Causes::RXQ0,
        });
    }

    /// Makes up for interrupts that were lost: unmasks the card, and interrupts for the rings as if something had happened.
    /// A lost message of the link leaves its cause set, which would keep further ones back: it is cleared, and the caller
    /// has to look at the link afterwards. For a watchdog; up to `DISPATCH_LEVEL`.
    pub fn prod(&self, delivery: Delivery) {
        match delivery {
            Delivery::Line => {
                self.unmask(delivery.causes());
                self.trigger(Causes::RXT0);
            }
            Delivery::Single => {
                // A cause whose message was lost sends no other while it is set.
                self.bus.write(Icr::from_bits(Causes::MESSAGES.bits()));
                self.unmask(delivery.causes());
                self.trigger(Causes::RXT0.union(Causes::QUEUES));
            }
            Delivery::Messages => {
                self.bus.write(Icr::from_bits(Causes::OTHER_VECTOR.bits()));
                self.unmask(delivery.causes());
                self.trigger(Causes::QUEUES);
            }
        }
    }

    /// Makes the card interrupt for these causes as if they had happened: a second pass over a ring, or a test.
    pub fn trigger(&self, causes: Causes) {
        self.bus.write(Ics::from_bits(causes.bits()));
    }

    /// Sets the least time between two interrupts (of each vector) in nanoseconds; 0 turns moderation off. In steps of
    /// 256 ns, at most 16.7 ms. Any IRQL.
    pub fn set_moderation(&self, delivery: Delivery, nanoseconds: u32) {
        let interval = nanoseconds.div_ceil(256).min(0xFFFF);
        match delivery {
            Delivery::Line => self.bus.write(Itr::default().with(Itr::INTERVAL, interval)),
            Delivery::Single | Delivery::Messages if self.model.messages == 0 => {}
            // Which of the two counts depends on whether the message is an MSI.
            Delivery::Single => {
                self.bus.write(Itr::default().with(Itr::INTERVAL, interval));
                self.bus.write_at(0, Eitr::default().with(Eitr::INTERVAL, interval));
            }
            Delivery::Messages => {
                for vector in [Vector::Receive, Vector::Transmit] {
                    self.bus.write_at(vector.message(), Eitr::default().with(Eitr::INTERVAL, interval));
                }
                self.bus.write_at(Vector::Other.message(), Eitr::default());
            }
        }
    }

    fn unmask(&self, causes: Causes) {
        self.bus.write(Ims::from_bits(causes.bits()));
    }

    /// 82574: connects causes and vectors, or undoes it.
    fn allocate_vectors(&self, delivery: Delivery) -> Result<(), Error> {
        let mut allocation = Ivar::default();
        let mut auto_clear = Causes::empty();
        let mut automatic = 0;
        if delivery == Delivery::Single {
            let everything = Vector::Receive.allocation();
            allocation = allocation
                .with(Ivar::RXQ0, everything)
                .with(Ivar::TXQ0, everything)
                .with(Ivar::OTHER, everything)
                .set(Ivar::TX_EVERY_WRITE_BACK);
        }
        if delivery == Delivery::Messages {
            allocation = allocation
                .with(Ivar::RXQ0, Vector::Receive.allocation())
                .with(Ivar::TXQ0, Vector::Transmit.allocation())
                .with(Ivar::OTHER, Vector::Other.allocation())
                .set(Ivar::TX_EVERY_WRITE_BACK);
            // Not OTHER: its cause must still be there to be read.
            auto_clear = Causes::QUEUES;
            automatic = 1;
        }
        self.bus.modify::<CtrlExt>(|control| {
            control.with(CtrlExt::EIAME, automatic).clear(CtrlExt::IAME).with(CtrlExt::PBA_CLR, automatic)
        })?;
        self.bus.write(Iam::from_bits(auto_clear.bits()));
        self.bus.write(Eiac::from_bits(auto_clear.bits()));
        self.bus.write(allocation);
        Ok(())
    }
}
