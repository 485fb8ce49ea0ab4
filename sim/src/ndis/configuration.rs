//! The registry keys of adapter and driver: `NdisOpenConfigurationEx` and its kin.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::block::Block;
use super::handle::{self, Handle, Kind};
use super::holder::Holder;
use super::ownership::Resource;
use super::parameters::{pointer_at, u32_at, u64_at};
use super::status::{self, Status};
use super::tables::ObjectHeader;
use super::{finding, raw};
use crate::machine::{IrqlRange, Machine, enter};

/// A value of the registry key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `REG_DWORD`.
    Integer(u32),
    /// `REG_SZ`. INF files keep enumerations and numbers this way too.
    String(String),
    /// `REG_BINARY`.
    Binary(Vec<u8>),
}

/// The registry key of an adapter: keyword and value.
pub type Keywords = BTreeMap<String, Value>;

/// `NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT`.
const CONFIGURATION_OBJECT: u8 = 0xA9;
/// `NdisParameterInteger`, `NdisParameterHexInteger`, `NdisParameterString`, `NdisParameterBinary`.
const INTEGER: u32 = 0;
const HEX_INTEGER: u32 = 1;
const STRING: u32 = 2;
const BINARY: u32 = 4;

/// An open configuration: what it handed out dies with it.
struct Configuration {
    holder: Holder,
    values: RefCell<Vec<Block>>,
}

impl Configuration {
    /// What the key holds. A driver's own, `Parameters` of its service, is empty.
    fn keywords(&self) -> Option<&Keywords> {
        self.holder.adapter().map(|adapter| &adapter.keywords)
    }
}

fn find(handle: Handle) -> Option<Rc<Configuration>> {
    handle::find(handle, Kind::Configuration, "CO-286")
}

pub(super) unsafe extern "win64" fn open(object: usize, out: *mut Handle) -> Status {
    let call = enter("NdisOpenConfigurationEx", IrqlRange::PASSIVE);
    let header: ObjectHeader = raw::read(object as *const ObjectHeader);
    if (header.kind, header.revision) != (CONFIGURATION_OBJECT, 1) || header.size < 20 {
        finding("CO-315", None, format!("NDIS_CONFIGURATION_OBJECT with header {header:?}"));
        return status::FAILURE;
    }
    let bytes = raw::bytes(object, 20);
    let Some(holder) = Holder::find(u64_at(&bytes, 8) as Handle) else { return status::FAILURE };
    if u32_at(&bytes, 16) != 0 {
        finding("CO-315", Some(holder.name()), "NDIS_CONFIGURATION_OBJECT with Flags".to_owned());
    }
    if call.machine().should_fail("NdisOpenConfigurationEx") {
        return status::RESOURCES;
    }
    let it = Rc::new(Configuration { holder: holder.clone(), values: RefCell::default() });
    let handle = handle::open(Kind::Configuration, it);
    holder.own(Resource::Configuration, handle as usize, "an open configuration");
    raw::write(out, handle);
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn close(handle: Handle) {
    let _call = enter("NdisCloseConfiguration", IrqlRange::PASSIVE);
    let Some(it) = find(handle) else { return };
    it.holder.disown(Resource::Configuration, handle as usize);
    it.values.take();
    handle::close::<Configuration>(Kind::Configuration, handle);
}

/// The name in a `UNICODE_STRING`.
fn keyword(string: usize) -> String {
    let head = raw::bytes(string, 16);
    let len = usize::from(u16::from_le_bytes([head[0], head[1]]));
    let text = raw::bytes(pointer_at(&head, 8), len);
    let units: Vec<u16> = text.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// What NDIS answers without looking into the registry (page of `NdisReadConfiguration`).
fn known_by_itself(machine: &Machine, name: &str) -> Option<Value> {
    /// `NdisProcessorAmd64`.
    const PROCESSOR: u32 = 4;
    match name {
        "ProcessorType" => Some(Value::Integer(PROCESSOR)),
        "NdisVersion" => Some(Value::Integer(super::system::version_of(machine))),
        _ => None,
    }
}

/// Lays a value out as `NDIS_CONFIGURATION_PARAMETER`, of the type asked for as far as it can be converted.
fn parameter(value: &Value, wanted: u32) -> Option<(Block, Option<Block>)> {
    let (kind, data, number) = match (value, wanted) {
        (Value::Integer(number), INTEGER | HEX_INTEGER) => (wanted, None, *number),
        (Value::String(text), INTEGER) => (INTEGER, None, text.trim().parse().ok()?),
        (Value::String(text), HEX_INTEGER) => (HEX_INTEGER, None, u32::from_str_radix(text.trim(), 16).ok()?),
        (Value::String(text), STRING) => {
            (STRING, Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()), 0)
        }
        (Value::Binary(bytes), BINARY) => (BINARY, Some(bytes.clone()), 0),
        _ => return None,
    };
    let mut bytes = Vec::from(kind.to_le_bytes());
    bytes.extend([0; 4]);
    let data = data.map(|data| Block::new("configuration value", &data));
    match &data {
        None => bytes.extend(u64::from(number).to_le_bytes()),
        Some(block) => {
            let len = u16::try_from(block.len()).ok()?;
            bytes.extend(len.to_le_bytes());
            bytes.extend(len.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend((block.address() as u64).to_le_bytes());
        }
    }
    bytes.resize(24, 0);
    Some((Block::new("NDIS_CONFIGURATION_PARAMETER", &bytes), data))
}

pub(super) unsafe extern "win64" fn read(
    out_status: *mut Status,
    out: *mut usize,
    handle: Handle,
    name: usize,
    kind: u32,
) {
    let call = enter("NdisReadConfiguration", IrqlRange::PASSIVE);
    let Some(it) = find(handle) else { return raw::write(out_status, status::FAILURE) };
    let name = keyword(name);
    let found = it.keywords().and_then(|all| all.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)));
    if call.machine().should_fail("NdisReadConfiguration") {
        return raw::write(out_status, status::RESOURCES);
    }
    let known = known_by_itself(call.machine(), &name);
    let value = known.as_ref().or(found.map(|(_, value)| value));
    let Some((block, data)) = value.and_then(|value| parameter(value, kind)) else {
        return raw::write(out_status, status::FAILURE);
    };
    raw::write(out, block.address());
    raw::write(out_status, status::SUCCESS);
    let mut values = it.values.borrow_mut();
    values.push(block);
    values.extend(data);
}

pub(super) unsafe extern "win64" fn read_network_address(
    out_status: *mut Status,
    out: *mut usize,
    out_len: *mut u32,
    handle: Handle,
) {
    let _call = enter("NdisReadNetworkAddress", IrqlRange::PASSIVE);
    let Some(it) = find(handle) else { return raw::write(out_status, status::FAILURE) };
    let value = it.keywords().and_then(|all| all.get("NetworkAddress"));
    let Some(bytes) = value.and_then(network_address) else {
        return raw::write(out_status, status::FAILURE);
    };
    let block = Block::new("network address", &bytes);
    raw::write(out, block.address());
    raw::write(out_len, u32::try_from(bytes.len()).expect("a short address"));
    raw::write(out_status, status::SUCCESS);
    it.values.borrow_mut().push(block);
}

/// The hexadecimal digits of the keyword, with hyphens or without.
fn network_address(value: &Value) -> Option<Vec<u8>> {
    let Value::String(text) = value else { return None };
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| *c != '-')
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    (!digits.is_empty())
        .then(|| digits.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_addresses_are_hexadecimal() {
        let parse = |text: &str| network_address(&Value::String(text.to_owned()));
        assert_eq!(parse("02-00-5E-10-00-01"), Some(vec![2, 0, 0x5E, 0x10, 0, 1]));
        assert_eq!(parse("02005e100001"), Some(vec![2, 0, 0x5E, 0x10, 0, 1]));
        assert_eq!(parse(""), None);
        assert_eq!(parse("xyz"), None);
    }
}
