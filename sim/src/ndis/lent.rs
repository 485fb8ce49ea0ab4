//! Call parameters of the client's, which the driver may read and write until it completes the request.

use super::finding;
use super::parameters::{CALL_PARAMETERS_CHANGED, CallParameters, ParameterBlock};
use super::vc::Vc;

pub(super) struct Lent {
    block: ParameterBlock,
    before: CallParameters,
}

impl Lent {
    pub(super) fn new(parameters: &CallParameters) -> Self {
        Self { block: ParameterBlock::new(parameters), before: parameters.clone() }
    }

    /// Where the driver finds them.
    pub(super) fn address(&self) -> usize {
        self.block.address()
    }

    /// Ends the loan and checks what the driver did with them. `address` is the pointer that the driver completed with.
    pub(super) fn take_back(self, vc: &Vc, address: usize, success: bool) -> CallParameters {
        if address != self.address() {
            finding("CO-098", Some(vc.name()), "completed with other parameters than given".to_owned());
        }
        if self.block.relinked() {
            let text = "the pointers inside the parameters were changed";
            finding("CO-097", Some(vc.name()), text.to_owned());
        }
        let mut after = self.block.read();
        if let Some(at) = self.block.supplied() {
            vc.supplied.set(at);
            after.call_manager = Some(super::parameters::read_manager(at, super::raw::bytes));
        }
        let flagged = after.flags & CALL_PARAMETERS_CHANGED != 0;
        let plain = CallParameters { flags: after.flags & !CALL_PARAMETERS_CHANGED, ..after.clone() };
        if success && !flagged && plain != self.before {
            let text = "parameters changed without CALL_PARAMETERS_CHANGED";
            finding("CO-096", Some(vc.name()), text.to_owned());
        }
        after
    }
}
