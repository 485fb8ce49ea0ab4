//! `include/mcm_ppp.h` as the compilers of Windows and of this machine see it, against what the driver reads.

use condis::address_family::AddressFamily;
use condis::{call_parameters, name, ppp, sap};
use std::path::Path;

/// A constant of the header, and what it must be.
fn constants() -> Vec<(&'static str, u32)> {
    vec![
        ("MCM_PPP_ADDRESS_FAMILY", AddressFamily::Ppp.number()),
        ("MCM_PPP_ADDRESS_FAMILY_MAJOR", 1),
        ("MCM_PPP_ADDRESS_FAMILY_MINOR", 0),
        ("MCM_PPP_TYPE", ppp::TYPE),
        ("MCM_PPP_VERSION", ppp::VERSION.into()),
        ("MCM_PPP_NAME_MAX", number(name::CAPACITY)),
        ("MCM_PPP_HOST_UNIQ_MAX", number(ppp::make_call::MAX_HOST_UNIQ)),
        ("MCM_PPP_CALL_MAX", call_parameters::MAX_SPECIFIC),
        ("MCM_PPP_SAP_MAX", sap::MAX_LENGTH),
        ("MCM_PPP_PAYLOAD_DEFAULT", ppp::make_call::DEFAULT_PAYLOAD.into()),
        ("MCM_PPP_CALL_FIXED", ppp::make_call::FIXED.into()),
        ("MCM_PPP_SAP_FIXED", ppp::sap::FIXED.into()),
        ("MCM_PPP_INCOMING_CALL_FIXED", ppp::incoming_call::FIXED.into()),
    ]
}

/// A field of the header's structures, and where it must lie; a structure alone stands for its size.
fn layouts() -> Vec<(&'static str, usize)> {
    use ppp::{head, incoming_call::field as incoming, make_call::field, sap::SERVICE_NAME};
    vec![
        ("MCM_PPP_HEAD", head::LEN),
        ("MCM_PPP_HEAD::Type", head::TYPE),
        ("MCM_PPP_HEAD::Version", head::VERSION),
        ("MCM_PPP_HEAD::FixedSize", head::FIXED_SIZE),
        ("MCM_PPP_HEAD::Size", head::SIZE),
        ("MCM_PPP_HEAD::Flags", head::FLAGS),
        ("MCM_PPP_DATA", 8),
        ("MCM_PPP_DATA::Offset", 0),
        ("MCM_PPP_DATA::Length", 4),
        ("MCM_PPP_CALL", ppp::make_call::FIXED.into()),
        ("MCM_PPP_CALL::Head", 0),
        ("MCM_PPP_CALL::MaxPayload", field::MAX_PAYLOAD),
        ("MCM_PPP_CALL::ServiceName", field::SERVICE_NAME),
        ("MCM_PPP_CALL::AcName", field::AC_NAME),
        ("MCM_PPP_CALL::HostUniq", field::HOST_UNIQ),
        ("MCM_PPP_SAP", ppp::sap::FIXED.into()),
        ("MCM_PPP_SAP::Head", 0),
        ("MCM_PPP_SAP::ServiceName", SERVICE_NAME),
        ("MCM_PPP_INCOMING_CALL", ppp::incoming_call::FIXED.into()),
        ("MCM_PPP_INCOMING_CALL::Head", 0),
        ("MCM_PPP_INCOMING_CALL::MaxPayload", incoming::MAX_PAYLOAD),
        ("MCM_PPP_INCOMING_CALL::Caller", incoming::CALLER),
        ("MCM_PPP_INCOMING_CALL::Reserved", incoming::CALLER + 6),
        ("MCM_PPP_INCOMING_CALL::ServiceName", incoming::SERVICE_NAME),
    ]
}

fn number(size: usize) -> u32 {
    u32::try_from(size).expect("a small number")
}

/// bindgen's description of the header for a target, without white space.
fn described(target: &str) -> String {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/mcm_ppp.h");
    let bindings = bindgen::Builder::default()
        .header(header.to_str().expect("a path in UTF-8"))
        .use_core()
        .detect_include_paths(false)
        .layout_tests(true)
        .formatter(bindgen::Formatter::None)
        .clang_args([
            format!("--target={target}").as_str(),
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
            "-Wno-unused-function",
        ])
        .generate()
        .expect("the header compiles");
    bindings.to_string().split_whitespace().collect()
}

#[test]
fn the_header_says_what_the_driver_reads() {
    for target in ["x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc", "x86_64-unknown-linux-gnu"] {
        let text = described(target);
        for (name, value) in constants() {
            assert!(text.contains(&format!("{name}:u32={value};")), "{name} is not {value} for {target}");
        }
        for (name, value) in layouts() {
            let wanted = match name.split_once("::") {
                Some((record, field)) => format!("offset_of!({record},{field})-{value}usize"),
                None => format!("size_of::<{name}>()-{value}usize"),
            };
            assert!(
                text.contains(&wanted),
                "{name} is not at {value}, or not {value} bytes long, for {target}"
            );
        }
        // Nothing is in the header that is not compared.
        assert_eq!(text.matches("pubconstMCM_PPP_").count(), constants().len(), "constants for {target}");
        let compared =
            text.matches("offset_of!(MCM_PPP_").count() + text.matches("size_of::<MCM_PPP_").count();
        assert_eq!(compared, layouts().len(), "fields for {target}");
    }
}
