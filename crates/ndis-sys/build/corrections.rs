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

#[cfg(test)]
mod tests {
    use super::corrected;

    #[test]
    fn headers_that_need_nothing_are_left_alone() {
        assert_eq!(
            corrected("typedef union _NET_BUFFER_HEADER {\n    NET_BUFFER_DATA NetBufferData;\n};\n"),
            None
        );
        assert_eq!(corrected("#define NDIS_API_VERSION_AVAILABLE(major, minor) 1\n"), None);
    }

    #[test]
    fn unnamed_members_get_names() {
        let text =
            "union U {\r\n    NET_BUFFER_DATA;\r\n    NET_BUFFER_LIST_DATA;\n  NET_BUFFER_DATA_LENGTH;\n};";
        let expected = "union U {\n    NET_BUFFER_DATA NetBufferData;\n    NET_BUFFER_LIST_DATA NetBufferListData;\n  \
                        NET_BUFFER_DATA_LENGTH NbDataLength;\n};";
        assert_eq!(corrected(text).as_deref(), Some(expected));
    }

    #[test]
    fn the_version_check_pastes_no_tokens() {
        let text =
            "#define NDIS_API_VERSION_AVAILABLE(major,minor) (((0x ## major) << 8) >= X)\n#define B 0x ## b";
        let expected = "#define NDIS_API_VERSION_AVAILABLE(major, minor) 1\n#define B 0x ## b";
        assert_eq!(corrected(text).as_deref(), Some(expected));
    }
}
