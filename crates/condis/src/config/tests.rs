use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::string::{String, ToString};
use std::vec::Vec;

const INX: &str = include_str!("../../../../mcm.inx");

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn keyword(name: &str) -> &'static Keyword {
    KEYWORDS.iter().find(|keyword| keyword.name == name).unwrap()
}

/// What `settings` holds for a keyword of numbers.
fn number(settings: &Settings, setting: Setting) -> u32 {
    match setting {
        Setting::SpeedDuplex => [0, 1, 2, 3, 4, 6][settings.speed_duplex as usize],
        Setting::FlowControl => settings.flow_control as u32,
        Setting::InterruptModeration => settings.interrupt_moderation.into(),
        Setting::TransmitBuffers => settings.transmit_buffers,
        Setting::ReceiveBuffers => settings.receive_buffers,
        Setting::WanEndpoints => settings.wan_endpoints,
        Setting::MaxPayload => settings.max_payload.into(),
        Setting::PadiTries => settings.padi_tries.into(),
        Setting::AddressAndControl => settings.address_and_control.into(),
        Setting::Concentrator => settings.concentrator.enabled.into(),
        Setting::VlanId => settings.vlan_id.into(),
        Setting::VlanPriority => settings.vlan_priority.into(),
        Setting::Credits => settings.credits as u32,
        Setting::CreditScale => settings.credit_scale.into(),
        Setting::ConcentratorAnswers => settings.concentrator.answers,
        Setting::ConcentratorRequests => settings.concentrator.requests.into(),
        _ => panic!("{setting:?} is text"),
    }
}

/// The INF's lines without comments.
fn lines() -> impl Iterator<Item = &'static str> {
    INX.lines().map(|line| line.split_once(';').map_or(line, |(code, _)| code).trim())
}

/// The `AddReg` lines below `Ndi\params`: keyword, value name, value; enumerators as `enum 0`.
fn parameters() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut parameters: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for line in lines() {
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        let ["HKR", key, name, "0", value] = fields[..] else { continue };
        let Some(key) = key.strip_prefix("Ndi\\params\\") else { continue };
        let (keyword, prefix) = key.strip_suffix("\\enum").map_or((key, ""), |keyword| (keyword, "enum "));
        let duplicate = parameters
            .entry(keyword.to_string())
            .or_default()
            .insert(std::format!("{prefix}{name}"), value.to_string());
        assert_eq!(duplicate, None, "{line}");
    }
    parameters
}

#[test]
fn the_reference_lists_every_keyword_and_no_other() {
    const REFERENCE: &str = include_str!("../../../../docs/registry.md");
    let rows = REFERENCE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let listed: BTreeSet<&str> = rows.map(|(name, _)| name).collect();
    assert_eq!(listed, KEYWORDS.iter().map(|keyword| keyword.name).collect());
}

#[test]
fn the_readme_names_every_keyword() {
    const README: &str = include_str!("../../../../README.md");
    let missing: Vec<&str> = KEYWORDS
        .iter()
        .map(|keyword| keyword.name)
        .filter(|name| !README.contains(&std::format!("`{name}`")))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_inf_describes_every_keyword_as_it_is() {
    let parameters = parameters();
    let advanced = KEYWORDS.iter().filter(|keyword| keyword.place == Place::Advanced);
    let names: BTreeSet<String> = advanced.clone().map(|keyword| keyword.name.to_string()).collect();
    assert_eq!(parameters.keys().cloned().collect::<BTreeSet<_>>(), names);
    for keyword in advanced {
        let described = &parameters[keyword.name];
        let value = |name: &str| described.get(name).map(String::as_str);
        let numeric = |name: &str| value(name).unwrap().parse::<u32>().unwrap();
        assert!(value("ParamDesc").is_some(), "{}", keyword.name);
        match keyword.kind {
            Kind::Choice(choices) => {
                let listed: Vec<u32> = described
                    .keys()
                    .filter_map(|name| name.strip_prefix("enum "))
                    .map(|number| number.parse().unwrap())
                    .collect();
                assert_eq!((value("type"), &listed[..]), (Some("enum"), choices), "{}", keyword.name);
            }
            Kind::Number { min, max, step } => {
                assert_eq!(value("type"), Some("int"), "{}", keyword.name);
                let listed = (numeric("min"), numeric("max"), numeric("step"));
                assert_eq!(listed, (min, max, step), "{}", keyword.name);
            }
            Kind::Text(limit) => {
                assert_eq!((value("type"), value("optional")), (Some("edit"), Some("1")));
                assert_eq!((numeric("LimitText"), value("default")), (limit, Some("")), "{}", keyword.name);
                continue;
            }
        }
        assert_eq!(numeric("default"), number(&Settings::new(), keyword.setting), "{}", keyword.name);
    }
}

#[test]
fn the_inf_has_the_lines_that_an_adapter_starts_with() {
    let line = lines().find(|line| line.contains("WanEndpoints")).unwrap();
    let default = line.rsplit(',').next().unwrap().trim().parse().unwrap();
    assert_eq!(Settings::new().wan_endpoints, default);
}

#[test]
fn every_string_of_the_inf_is_defined_and_used() {
    let (body, strings) = INX.split_once("[Strings]").unwrap();
    let defined: BTreeSet<&str> =
        strings.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim()).collect();
    let mut used = BTreeSet::new();
    for line in body.lines().map(|line| line.split(';').next().unwrap()) {
        let parts: Vec<&str> = line.split('%').collect();
        // A doubled percent sign is a percent sign, %13% a directory.
        used.extend(parts.iter().skip(1).step_by(2).filter(|part| !matches!(**part, "" | "13")));
    }
    used.remove("SystemRoot");
    assert_eq!(used, defined);
}

#[test]
fn every_section_the_inf_refers_to_is_there() {
    for section in [
        "Models.NT$ARCH$.10.0...19041",
        "Install.Line.NT",
        "Install.Line.NT.Services",
        "Install.Message.NT",
        "Install.Message.NT.HW",
        "Install.Message.NT.Services",
        "Message.Reg",
        "Adapter.Reg",
        "Parameters.Reg",
        "Driver.Files",
        "Service",
        "EventLog",
        "EventLog.Reg",
    ] {
        assert!(lines().any(|line| line == std::format!("[{section}]")), "{section}");
    }
}

#[test]
fn numbers_in_range_are_taken() {
    let mut settings = Settings::new();
    for (name, value) in [
        ("*SpeedDuplex", 6),
        ("*ReceiveBuffers", 64),
        ("PadiTries", 10),
        ("AddressAndControl", 1),
        ("Concentrator", 1),
        ("WanEndpoints", 1),
        ("VlanId", 4094),
        ("VlanPriority", 7),
        ("ConcentratorAnswers", 10),
        ("ConcentratorRequests", 65_534),
    ] {
        settings.set_number(keyword(name), value).unwrap();
        assert_eq!(number(&settings, keyword(name).setting), value);
    }
    assert_eq!(settings.speed_duplex, SpeedDuplex::Full1000);
}

#[test]
fn numbers_out_of_range_change_nothing() {
    let mut settings = Settings::new();
    for (name, value) in [
        ("*SpeedDuplex", 5),
        ("*TransmitBuffers", 63),
        ("*TransmitBuffers", 65),
        ("*TransmitBuffers", 4096),
        ("WanEndpoints", 0),
        ("MaxPayload", 1491),
        ("VlanId", 4095),
        ("VlanId", 0x1_0001),
        ("VlanPriority", 8),
        ("AddressAndControl", 2),
        ("Concentrator", 2),
        ("ServiceName", 1),
        ("ConcentratorServices", 1),
        ("ConcentratorAnswers", 9),
        ("ConcentratorRequests", 65_535),
    ] {
        assert_eq!(settings.set_number(keyword(name), value), Err(Refused), "{name}");
    }
    assert_eq!(settings, Settings::new());
}

#[test]
fn texts() {
    let mut settings = Settings::new();
    settings.set_text(keyword("ServiceName"), &utf16("Münster\0x")).unwrap();
    settings.set_text(keyword("HostUniq"), &utf16("00fF\0")).unwrap();
    settings.set_text(keyword("ConcentratorName"), &utf16("bras 1")).unwrap();
    settings.set_text(keyword("ConcentratorServices"), &utf16("internet, voice")).unwrap();
    settings.set_text(keyword("NetworkAddress"), &utf16("021B21010203")).unwrap();
    assert_eq!(settings.service_name.as_bytes(), "Münster".as_bytes());
    assert_eq!(settings.host_uniq.as_bytes(), [0, 0xFF]);
    assert_eq!(settings.concentrator.name.as_bytes(), b"bras 1");
    assert!(settings.concentrator.services.iter().eq([&b"internet"[..], b"voice"]));
    assert_eq!(settings.network_address, Some([2, 0x1B, 0x21, 1, 2, 3]));
}

#[test]
fn malformed_texts_change_nothing() {
    let mut settings = Settings::new();
    for (name, text) in [
        ("NetworkAddress", "031B21010203"),
        ("NetworkAddress", "000000000000"),
        ("NetworkAddress", "021B2101020"),
        ("NetworkAddress", "02-1B-21-01-02-03"),
        ("NetworkAddress", ""),
        ("HostUniq", "0"),
        ("HostUniq", "0g"),
        ("HostUniq", &"00".repeat(65)),
        ("AcName", &"x".repeat(129)),
        ("ConcentratorName", &"x".repeat(129)),
        ("ConcentratorServices", &"x".repeat(129)),
        ("*FlowControl", "1"),
    ] {
        assert_eq!(settings.set_text(keyword(name), &utf16(text)), Err(Refused), "{name} {text}");
    }
    assert_eq!(settings, Settings::new());
}

proptest! {
    #[test]
    fn never_panics(index in 0..KEYWORDS.len(), value in any::<u32>(), text in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut settings = Settings::new();
        let keyword = &KEYWORDS[index];
        let taken = settings.set_number(keyword, value).is_ok();
        prop_assert_eq!(taken, keyword.takes(value));
        let _ = settings.set_text(keyword, &text);
    }
}
