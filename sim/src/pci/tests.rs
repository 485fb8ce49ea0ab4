//! A card in a machine, with a driver of a few register accesses.

#![allow(clippy::cast_possible_truncation, reason = "test values are small by construction")]

use std::{cell::Cell, cell::RefCell, rc::Rc, time::Duration};

use super::Slot;
use crate::{
    machine::{Config, Machine},
    nic::{E1000, Faults, Model},
    verifier::trips::Trip,
    wire::{
        AccessConcentrator, Unconnected, Wire,
        access_concentrator::Settings,
        frame::{BROADCAST, DISCOVERY, Frame, code, push_tag, tag},
    },
};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The rules that are tripped by tests of this part.
pub(crate) const TRIPS: &[Trip] = &[
    ("PCI.InterruptForeign", claimed_interrupt_of_another_device_is_reported),
    ("PCI.InterruptStorm", claimed_line_that_stays_asserted_is_a_storm),
    ("PCI.InterruptUnclaimed", unclaimed_line_is_reported_once_and_given_up),
    ("TIME.Link", a_link_that_nobody_tells_of_is_reported),
    ("PCI.ResetAlone", a_card_that_is_reset_is_left_alone),
];

fn slot(model: Model, wire: Box<dyn Wire>) -> Rc<Slot> {
    Slot::new(Box::new(E1000::new(model, MAC, Faults::default())), wire, None)
}

/// The driver's side of a slot.
struct Driver {
    slot: Rc<Slot>,
    /// Bus addresses: receive ring, transmit ring, buffers.
    memory: [u64; 3],
}

impl Driver {
    /// Sets both rings up and enables the card.
    fn start(slot: &Rc<Slot>) -> Self {
        let memory = [128, 128, 16 * 2048].map(|len| slot.dma().allocate(len, true).bus_address);
        let driver = Self { slot: Rc::clone(slot), memory };
        driver.write(0x0000, 0x41);
        for (at, base) in [(0x2800, memory[0]), (0x3800, memory[1])] {
            driver.write(at, u32::try_from(base).expect("below 4 GiB"));
            driver.write(at + 8, 128);
        }
        for i in 0..8 {
            let buffer = memory[2] + 2048 * i;
            slot.dma().write(memory[0] + 16 * i, &buffer.to_le_bytes()).expect("mapped");
        }
        driver.write(0x0100, 0x0400_8002);
        driver.write(0x2818, 7);
        driver.write(0x0400, 0x000a);
        driver
    }

    fn read(&self, off: u64) -> u32 {
        self.slot.mmio_read(0, off, 4) as u32
    }

    fn write(&self, off: u64, value: u32) {
        self.slot.mmio_write(0, off, 4, u64::from(value));
    }

    /// Sends a frame with descriptor 0.
    fn send(&self, frame: &[u8]) {
        let buffer = self.memory[2] + 8 * 2048;
        let mut desc = [0; 16];
        desc[..8].copy_from_slice(&buffer.to_le_bytes());
        desc[8..10].copy_from_slice(&(frame.len() as u16).to_le_bytes());
        desc[11] = 0x0b;
        self.slot.dma().write(buffer, frame).expect("mapped");
        self.slot.dma().write(self.memory[1], &desc).expect("mapped");
        self.write(0x3818, 1);
    }

    /// The frame in receive buffer 0, if one has come.
    fn received(&self) -> Option<Vec<u8>> {
        let mut desc = [0; 16];
        self.slot.dma().read(self.memory[0], &mut desc).expect("mapped");
        let mut frame = vec![0; usize::from(u16::from_le_bytes([desc[8], desc[9]]))];
        self.slot.dma().read(self.memory[2], &mut frame).expect("mapped");
        (desc[12] & 3 == 3).then_some(frame)
    }
}

fn padi() -> Vec<u8> {
    let mut payload = Vec::new();
    push_tag(&mut payload, tag::SERVICE_NAME, b"");
    Frame { destination: BROADCAST, source: MAC, ethertype: DISCOVERY, code: code::PADI, session: 0, payload }
        .to_bytes()
}

#[test]
fn padi_goes_out_and_pado_comes_in_with_an_interrupt() {
    for model in Model::ALL {
        let machine = Machine::new(Config::default());
        let slot = slot(model, Box::new(AccessConcentrator::new(Settings::default())));
        let driver = Rc::new(Driver::start(&slot));
        let claimed = Rc::new(Cell::new(0));
        let (isr, count) = (Rc::clone(&driver), Rc::clone(&claimed));
        slot.connect_line(Some(Rc::new(move || {
            let mine = isr.read(0x00c0) & isr.read(0x00d0) != 0;
            count.set(count.get() + u32::from(mine));
            mine
        })));
        driver.read(0x00c0);
        driver.write(0x00d0, 1 << 7);
        driver.send(&padi());
        machine.run_for(Duration::from_millis(5)).expect("nothing to get stuck on");
        let offer = driver.received().expect("PADO");
        assert_eq!(Frame::parse(&offer).expect("PPPoE").name(), "PADO");
        assert_eq!(claimed.get(), 1, "{model}");
        let steps: Vec<_> = machine.steps().into_iter().map(|(_, step)| step.text).collect();
        let steps = steps.strip_prefix(&["receiver on".into(), "transmitter on".into()]).expect("enabled");
        assert!(steps[0].starts_with("PADI sent") && steps[1].starts_with("PADO received"), "{steps:?}");
        assert!(machine.verifier().findings().is_empty());
    }
}

#[test]
fn messages_replace_the_line() {
    let machine = Machine::new(Config::default());
    let slot = slot(Model::I82574l, Box::new(AccessConcentrator::new(Settings::default())));
    assert_eq!(slot.resources().messages.len(), 5);
    let driver = Driver::start(&slot);
    let messages = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&messages);
    slot.connect_messages(Some(Rc::new(move |number| seen.borrow_mut().push(number))));
    let mut command = [0; 2];
    slot.read_config(4, &mut command);
    assert_eq!(command[1] & 4, 4, "INTx# disabled");
    driver.write(0x00e4, 0x000a_0908);
    driver.write(0x00d0, 1 << 20 | 1 << 22);
    driver.send(&padi());
    machine.run_for(Duration::from_millis(5)).expect("nothing to get stuck on");
    assert_eq!(*messages.borrow(), [1, 0], "transmitted, then received");
    slot.connect_messages(None);
    slot.read_config(4, &mut command);
    assert_eq!(command[1] & 4, 0);
}

#[test]
fn unclaimed_line_is_reported_once_and_given_up() {
    let machine = Machine::new(Config::default());
    let slot = slot(Model::I82540em, Box::new(Unconnected));
    let driver = Driver::start(&slot);
    slot.connect_line(Some(Rc::new(|| false)));
    driver.write(0x00d0, 4);
    driver.write(0x00c8, 4);
    machine.run_for(Duration::from_secs(1)).expect("nothing to get stuck on");
    assert_eq!(machine.verifier().count("PCI.InterruptUnclaimed"), 1);
}

#[test]
fn claimed_line_that_stays_asserted_is_a_storm() {
    let machine = Machine::new(Config::default());
    let slot = slot(Model::I82540em, Box::new(Unconnected));
    let driver = Driver::start(&slot);
    slot.connect_line(Some(Rc::new(|| true)));
    driver.write(0x00d0, 4);
    driver.write(0x00c8, 4);
    machine.run_for(Duration::from_secs(1)).expect("nothing to get stuck on");
    assert_eq!(machine.verifier().count("PCI.InterruptStorm"), 1);
}

#[test]
fn claimed_interrupt_of_another_device_is_reported() {
    for claims in [false, true] {
        let machine = Machine::new(Config::default());
        let slot = slot(Model::I82540em, Box::new(Unconnected));
        slot.connect_line(Some(Rc::new(move || claims)));
        slot.foreign_line_interrupt();
        machine.run_for(Duration::from_secs(1)).expect("nothing to get stuck on");
        assert_eq!(machine.verifier().count("PCI.InterruptForeign"), u64::from(claims));
    }
}

#[test]
fn unplugged_card_reads_ones_and_is_quiet() {
    let machine = Machine::new(Config::default());
    let slot = slot(Model::I82574l, Box::new(Unconnected));
    let driver = Driver::start(&slot);
    let interrupts = Rc::new(Cell::new(0));
    let count = Rc::clone(&interrupts);
    slot.connect_line(Some(Rc::new(move || {
        count.set(count.get() + 1);
        true
    })));
    driver.write(0x00d0, 1);
    driver.send(&padi());
    slot.unplug();
    assert_eq!(driver.read(0x0008), 0xffff_ffff);
    let mut id = [0; 4];
    slot.read_config(0, &mut id);
    assert_eq!(id, [0xff; 4]);
    machine.run_for(Duration::from_secs(1)).expect("nothing to get stuck on");
    assert_eq!(interrupts.get(), 0);
    assert!(slot.dma().read(driver.memory[0], &mut id).is_err(), "DMA is cut off");
}

#[test]
fn windows_are_programmed_and_mapped_by_physical_address() {
    let _machine = Machine::new(Config::default());
    let slot = slot(Model::I82574l, Box::new(Unconnected));
    let resources = slot.resources();
    assert_eq!(resources.bars.len(), 4);
    for window in &resources.bars {
        let mut value = [0; 4];
        slot.read_config(0x10 + 4 * window.index as u32, &mut value);
        assert_eq!(u64::from(u32::from_le_bytes(value)) & !0xf, window.physical);
    }
    let registers = resources.bars[0];
    let va = slot.map(registers.physical, 0x2_0000).expect("the register window");
    assert!(slot.unmap(va) && !slot.unmap(va));
    assert!(slot.map(registers.physical, 0x2_0001).is_err(), "past the end");
    assert!(slot.map(0x1000, 4).is_err());
    assert!(slot.map(resources.bars[2].physical, 4).is_err(), "ports are not memory");
}

#[test]
fn same_seed_same_log() {
    let run = |seed| {
        let machine = Machine::new(Config { seed, ..Config::default() });
        let slot = slot(
            Model::I82540em,
            Box::new(AccessConcentrator::new(Settings { seed, ..Settings::default() })),
        );
        Driver::start(&slot).send(&padi());
        machine.run_for(Duration::from_millis(5)).expect("nothing to get stuck on");
        machine.log_hash()
    };
    assert_eq!(run(3), run(3));
}

#[test]
fn a_link_that_nobody_tells_of_is_reported() {
    let found = |told: bool| {
        let machine = Machine::new(Config::default());
        let slot = slot(Model::I82574l, Box::new(Unconnected));
        let driver = Driver::start(&slot);
        slot.set_told_link(Some(false));
        machine.run_for(Duration::from_millis(1)).expect("time passes");
        driver.write(0x0000, 0x41);
        machine.run_for(Duration::from_secs(3)).expect("a link comes up");
        slot.set_told_link(Some(true));
        machine.run_for(Duration::from_secs(1)).expect("time passes");
        let before = machine.verifier().count("TIME.Link");
        slot.set_link(false);
        machine.run_for(Duration::from_millis(20)).expect("time passes");
        if told {
            slot.set_told_link(Some(false));
        }
        machine.run_for(Duration::from_secs(1)).expect("time passes");
        machine.verifier().count("TIME.Link") - before
    };
    assert_eq!((found(true), found(false)), (0, 1));
}

/// One thread resets a card and lets it interrupt 10 ms later; another looks at it after so many. The findings.
fn looked_at_after(milliseconds: u64) -> u64 {
    let machine = Machine::new(Config::default());
    let slot = slot(Model::I82574l, Box::new(Unconnected));
    let window = slot.resources().bars[0];
    let registers = slot.map(window.physical, 0x2_0000).expect("the window");
    let write = move |at: usize, value: u32| {
        // SAFETY: the register lies in the mapped window.
        unsafe { std::ptr::with_exposed_provenance_mut::<u32>(registers + at).write_volatile(value) };
    };
    let resetting = machine.spawn("resets", move || {
        Machine::current().call_driver("a handler", || {
            write(0x0000, 1 << 26);
            Machine::current().sleep(Duration::from_millis(10));
            write(0x00d0, 4);
            Machine::current().sleep(Duration::from_millis(10));
        });
    });
    let looking = machine.spawn("looks", move || {
        Machine::current().sleep(Duration::from_millis(milliseconds));
        // SAFETY: as above.
        unsafe { std::ptr::with_exposed_provenance::<u32>(registers + 8).read_volatile() };
    });
    machine.join(resetting).and_then(|()| machine.join(looking)).expect("both end");
    machine.verifier().count("PCI.ResetAlone")
}

#[test]
fn a_card_that_is_reset_is_left_alone() {
    assert_eq!([5, 15].map(looked_at_after), [1, 0]);
}
