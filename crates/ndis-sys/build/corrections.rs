//! The edits that ndis.h needs before clang and bindgen can read it as Microsoft's compiler does.

/// The text with its corrections, or nothing where it needs none.
pub(crate) fn corrected(text: &str) -> Option<String> {
    let mut changed = false;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let replacement = constant_version_check(line).or_else(|| named_member(line));
            changed |= replacement.is_some();
            replacement.unwrap_or_else(|| line.to_owned())
        })
        .collect();
    changed.then(|| lines.join("\n"))
}

/// The macro pastes `0x` to the name of its argument where Microsoft's preprocessor has already replaced the
/// argument by its value. The contract's version (6.40) is one that every architecture supports.
fn constant_version_check(line: &str) -> Option<String> {
    let definition = line.trim_start().strip_prefix("#define NDIS_API_VERSION_AVAILABLE(")?;
    definition.contains("0x ##").then(|| "#define NDIS_API_VERSION_AVAILABLE(major, minor) 1".to_owned())
}

/// Members that are a type and no name come out empty; these are the names the headers give them for C++.
fn named_member(line: &str) -> Option<String> {
    let name = match line.trim() {
        "NET_BUFFER_DATA_LENGTH;" => "NbDataLength",
        "NET_BUFFER_DATA;" => "NetBufferData",
        "NET_BUFFER_LIST_DATA;" => "NetBufferListData",
        _ => return None,
    };
    Some(line.replace(';', &format!(" {name};")))
}
