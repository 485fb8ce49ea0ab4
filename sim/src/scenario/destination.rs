//! Whom the clients of a run call, in the words of their address family.

use crate::{
    clients::{ppp, tapi_proxy},
    ndis::{Family, parameters::CallParameters},
};

/// Parameters of an outgoing call, on this line if lines mean something to the family, to a service of an access concentrator, either of which may be empty for any.
pub(super) fn call(family: u32, line: u32, ac: &str, service: &str) -> CallParameters {
    if family == Family::TAPI_PROXY {
        return tapi_proxy::call(line, 0, &number(ac, service));
    }
    ppp::call(&ppp::Destination {
        service: service.to_owned(),
        access_concentrator: ac.to_owned(),
        ..ppp::Destination::default()
    })
}

/// Type and content of the SAP that a client registers: every incoming session of its line.
pub(super) fn sap(family: u32) -> (u32, Vec<u8>) {
    if family == Family::TAPI_PROXY {
        (tapi_proxy::SAP_TYPE, tapi_proxy::sap(0, 0, tapi_proxy::DIGITAL_DATA))
    } else {
        (ppp::TYPE, ppp::sap(""))
    }
}

/// What a user types as the number: `AC\\service`, with the separator and the percent sign of names escaped.
fn number(ac: &str, service: &str) -> String {
    let escape = |name: &str| name.replace('%', "%25").replace('\\', "%5C");
    let separator = if ac.is_empty() { "" } else { "\\" };
    format!("{}{separator}{}", escape(ac), escape(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        assert_eq!(number("", ""), "");
        assert_eq!(number("", "isp"), "isp");
        assert_eq!(number("AC", ""), "AC\\");
        assert_eq!(number("A\\C", "100%"), "A%5CC\\100%25");
    }

    #[test]
    fn families_have_their_own_words() {
        let block = |family| call(family, 0, "AC", "isp").media.expect("media parameters").specific;
        assert_ne!(block(Family::TAPI_PROXY).param_type, block(Family::PPP).param_type);
        assert_ne!(sap(Family::TAPI_PROXY).0, sap(Family::PPP).0);
    }
}
