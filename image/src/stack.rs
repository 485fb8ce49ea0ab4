//! How much stack an image takes: frame by frame, and from each entry point down.
//!
//! A kernel stack is 24 KiB on 64-bit Windows ("Using the Kernel Stack"), and the driver shares it with all that is
//! above: the device's power and `PnP` stack, NDIS, its clients. Counted is what the driver's own functions take; what
//! NDIS takes below them, and whom it calls from there, is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;

use crate::code::{Code, Function};
use crate::pe::Image;
use crate::symbols::Symbols;

/// The largest frame in bytes, return address and saved registers among them.
pub const LARGEST_FRAME: u32 = 1024;
/// The most bytes from an entry point down.
pub const DEEPEST_PATH: u32 = 4096;
/// How many frames are listed.
const LISTED: usize = 12;

/// A function and its frame in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's name.
    pub name: String,
    /// Bytes it takes.
    pub bytes: u32,
}

/// The deepest path of calls from an entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Bytes they take together.
    pub bytes: u32,
    /// The entry point, whom it calls, and so on. The frame of one that goes on with the next is not in the sum.
    pub frames: Vec<Frame>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// All frames, the largest first.
    pub frames: Vec<Frame>,
    /// Each entry point with its deepest path, the deepest first.
    pub entries: Vec<Path>,
    /// What makes the image unfit: frames and paths above their limits, recursion, what could not be understood.
    pub faults: Vec<String>,
}

impl Report {
    /// Reads an image. Entry points are `DriverEntry` and every function whose address is taken.
    pub fn of(image: &Image, symbols: &Symbols) -> Result<Self> {
        let code = Code::read(image, symbols)?;
        let mut graph = Graph { code: &code, symbols, done: BTreeMap::new(), recursion: BTreeSet::new() };
        let mut entries: Vec<_> = code.pointed_to.iter().map(|&entry| graph.path(entry)).collect();
        // What nobody calls is looked at as well: it may be called from code that was not understood.
        for &start in code.functions.keys() {
            graph.depth(start, &mut Vec::new());
        }
        entries.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.frames[0].name.cmp(&b.frames[0].name)));
        let mut frames: Vec<_> = code.functions.iter().map(|(&start, it)| graph.frame(start, it)).collect();
        frames.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        let mut faults: Vec<_> = graph.recursion.iter().cloned().collect();
        for frame in frames.iter().filter(|frame| frame.bytes > LARGEST_FRAME) {
            faults.push(format!("{} has a frame of {} bytes of {LARGEST_FRAME}", frame.name, frame.bytes));
        }
        for path in entries.iter().filter(|path| path.bytes > DEEPEST_PATH) {
            let Path { bytes, frames } = path;
            faults.push(format!("from {} down it is {bytes} bytes of {DEEPEST_PATH}", frames[0].name));
        }
        let probes = |it: &Function| it.imports.iter().any(|import| import.name == "__chkstk");
        for (&start, _) in code.functions.iter().filter(|(_, it)| probes(it)) {
            faults.push(format!("{} probes the stack: a frame of a page or more", symbols.name(start)));
        }
        faults.extend(code.faults);
        Ok(Self { frames, entries, faults })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Entry points, and the deepest path of calls from each (bytes of {DEEPEST_PATH}):")?;
        for path in &self.entries {
            let mut frames = path.frames.iter();
            let Some(entry) = frames.next() else { continue };
            writeln!(f, "{:>6}  {} ({})", path.bytes, entry.name, entry.bytes)?;
            for frame in frames {
                writeln!(f, "          > {} ({})", frame.name, frame.bytes)?;
            }
        }
        writeln!(f, "\nLargest frames (bytes of {LARGEST_FRAME}):")?;
        for frame in self.frames.iter().take(LISTED) {
            writeln!(f, "{:>6}  {}", frame.bytes, frame.name)?;
        }
        for fault in &self.faults {
            writeln!(f, "fault: {fault}")?;
        }
        Ok(())
    }
}

/// The deepest way on from a function.
#[derive(Clone, Copy, Debug)]
struct Deepest {
    bytes: u32,
    next: Option<u32>,
}

struct Graph<'a> {
    code: &'a Code,
    symbols: &'a Symbols,
    done: BTreeMap<u32, Deepest>,
    recursion: BTreeSet<String>,
}

impl Graph<'_> {
    fn frame(&self, start: u32, function: &Function) -> Frame {
        Frame { name: self.symbols.name(start), bytes: function.frame }
    }

    /// Bytes from a function down; `above` are those that led to it.
    fn depth(&mut self, start: u32, above: &mut Vec<u32>) -> u32 {
        if let Some(known) = self.done.get(&start) {
            return known.bytes;
        }
        if let Some(first) = above.iter().position(|&it| it == start) {
            let round: Vec<_> = above[first..].iter().map(|&it| self.symbols.name(it)).collect();
            self.recursion.insert(format!("recursion: {}", round.join(" > ")));
            return 0;
        }
        let Some(function) = self.code.functions.get(&start) else { return 0 };
        above.push(start);
        let mut deepest = Deepest { bytes: function.frame, next: None };
        let calls = function.calls.iter().map(|&to| (function.frame, to));
        for (own, to) in calls.chain(function.tails.iter().map(|&to| (0, to))) {
            let bytes = own.saturating_add(self.depth(to, above));
            if bytes > deepest.bytes {
                deepest = Deepest { bytes, next: Some(to) };
            }
        }
        above.pop();
        self.done.insert(start, deepest);
        deepest.bytes
    }

    /// The deepest path from an entry point.
    fn path(&mut self, entry: u32) -> Path {
        let bytes = self.depth(entry, &mut Vec::new());
        let mut frames = Vec::new();
        let mut at = Some(entry);
        while let Some(start) = at {
            frames.extend(self.code.functions.get(&start).map(|function| self.frame(start, function)));
            at = self.done.get(&start).and_then(|deepest| deepest.next);
        }
        Path { bytes, frames }
    }
}
