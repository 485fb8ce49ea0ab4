//! The bus driver takes resources away and gives others.

use ndis_sim::{
    ndis::{Family, HaltAction},
    nic::Model,
    pci::Line,
};
use scenarios::{Card, Setup, Station, lab};

use crate::common::{assert_works, echo, some};

// covers: MiniportInitializeEx, MiniportHaltEx, SEQ:rebalance
#[test]
fn a_card_goes_on_with_other_resources() {
    for model in Model::ALL {
        let run = lab::run(Setup::new(3, Card::new(model)), |lab| {
            let driver = lab.load();
            // Ever fewer messages, the last of which has to do for everything, and then the line.
            for (irql, messages) in [(7, 5), (5, 3), (9, 2), (6, 1), (4, 0)] {
                let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
                let vc = station.connected();
                assert_works(&vc);
                // The calls are still up when the bus driver asks for the card to be stopped.
                station.adapter.pause();
                station.adapter.halt(HaltAction::Stopped);
                station.slot.rebalance(Line { vector: 0x60 + u32::from(irql), irql }, messages);
            }
            let station = Station::up(lab, &driver, 0, Family::PPP);
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
            station.down();
            driver.unload();
        });
        let (messages, line) = (run.count_steps("messages granted"), run.count_steps("line granted"));
        assert_eq!((messages, line), if model == Model::I82574l { (5, 1) } else { (0, 6) }, "{model}");
        run.clean();
    }
}

// covers: MiniportMessageInterrupt, MiniportMessageInterruptDPC, SEQ:single-message
#[test]
fn one_message_tells_of_everything() {
    for messages in [1, 2] {
        let run = lab::run(Setup::new(1, Card::new(Model::I82574l)), move |lab| {
            let driver = lab.load();
            let place = lab.place(0);
            place.slot.rebalance(Line { vector: 0x71, irql: 7 }, messages);
            let station = Station::up(lab, &driver, 0, Family::TAPI_PROXY);
            let vcs = [station.connected(), station.connected()];
            for vc in &vcs {
                assert_works(vc);
            }
            // Its loss is made up for.
            place.faults.inject(ndis_sim::nic::Fault::MessagesLost);
            scenarios::station::send(&vcs[0], &some(100, 100..120));
            lab::sleep(std::time::Duration::from_millis(300));
            place.faults.clear(ndis_sim::nic::Fault::MessagesLost);
            lab::sleep(std::time::Duration::from_secs(3));
            echo(&vcs[0], &some(100, 120..130));
            assert!(scenarios::Record::of(&vcs[0]).is_echoed(), "{messages} messages: a frame is missing");
            station.slot.stray_message(0);
            station.slot.set_link(false);
            let told = |up| {
                ndis_sim::ndis::wait_for(scenarios::caller::PATIENCE, || {
                    station.caller.link.get() == Some(up)
                })
            };
            assert!(told(false), "{messages} messages: the loss of the link is not told");
            for vc in &vcs {
                station.finish(vc);
            }
            station.slot.set_link(true);
            assert!(told(true), "{messages} messages: the link is not told");
            let vc = station.connected();
            assert_works(&vc);
            station.finish(&vc);
            station.down();
            driver.unload();
        });
        run.clean_but_for_sessions();
    }
}
