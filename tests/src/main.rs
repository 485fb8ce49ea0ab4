//! `scenarios`: tells the stories of [`scenarios::set`] to the driver that `MCM_SYS` names.
//!
//! Arguments are names of stories; none stands for all. Each blemish makes a line of the story's name, the rule and
//! what happened, separated by tabs. Exit status: 0 when there is none, 1 otherwise.
//!
//! Started as `pppd` by an rp-pppoe server, it is that server's stand-in for `pppd`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use ndis_sim::wire::rp_pppoe::stand_in;
use scenarios::set::STORIES;

fn main() -> ExitCode {
    stand_in::run().unwrap_or_else(tell)
}

fn tell() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    // A failed assertion is told below, like everything else.
    std::panic::set_hook(Box::new(|_| ()));
    let mut clean = true;
    for story in STORIES.iter().filter(|story| wanted.is_empty() || wanted.iter().any(|it| it == story.name))
    {
        println!("{}\tbegins\t", story.name);
        for blemish in story.tell() {
            clean = false;
            let detail = blemish.detail.replace(['\n', '\t'], " ");
            let _ = writeln!(io::stdout(), "{}\t{}\t{detail}", story.name, blemish.rule);
        }
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
