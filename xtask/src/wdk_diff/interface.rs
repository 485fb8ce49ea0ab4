//! What bindings declare, in a form that compares.

use super::bindings::MACRO;
use anyhow::{Context, Result};
use quote::ToTokens;
use std::collections::BTreeMap;
use syn::visit::Visit;

/// Declarations by name.
#[derive(Debug, Default)]
pub(super) struct Interface {
    /// `struct` or `union` with its fields, in order.
    records: BTreeMap<String, Vec<String>>,
    /// What another name stands for; for a function type, its parameters and result.
    aliases: BTreeMap<String, String>,
    /// Types and values of the constants.
    constants: BTreeMap<String, String>,
    functions: BTreeMap<String, String>,
    /// Sizes, alignments and offsets in bytes, by bindgen's description: `Offset of field: _MDL::Next`.
    layouts: BTreeMap<String, u64>,
}

/// How much an interface declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) types: usize,
    pub(super) fields: usize,
    pub(super) constants: usize,
    pub(super) functions: usize,
    pub(super) layouts: usize,
}

impl Interface {
    /// The interface of bindgen's output.
    pub(super) fn of(bindings: &str) -> Result<Self> {
        let file = syn::parse_file(bindings).context("bindgen's output")?;
        let mut interface = Self::default();
        interface.add("", &file.items);
        Ok(interface)
    }

    fn add(&mut self, module: &str, items: &[syn::Item]) {
        let path = |name: &syn::Ident| {
            if module.is_empty() { name.to_string() } else { format!("{module}::{name}") }
        };
        for item in items {
            match item {
                syn::Item::Struct(item) => self.add_record(item.ident.to_string(), "struct", &item.fields),
                syn::Item::Union(item) => {
                    let fields = syn::Fields::Named(item.fields.clone());
                    self.add_record(item.ident.to_string(), "union", &fields);
                }
                syn::Item::Type(item) => {
                    self.aliases.insert(path(&item.ident), tokens(&item.ty));
                }
                syn::Item::Use(item) => {
                    // An enumeration's type: `pub use self::_NAME::Type as NAME;`.
                    if let Some((from, to)) = renamed(&item.tree) {
                        self.aliases.insert(to, from);
                    }
                }
                syn::Item::Const(item) if item.ident != "_" => self.add_constant(&path(&item.ident), item),
                syn::Item::Const(item) => Layouts(&mut self.layouts).visit_item_const(item),
                syn::Item::Mod(item) => {
                    let items = item.content.as_ref().map_or(&[][..], |(_, items)| items);
                    self.add(&path(&item.ident), items);
                }
                syn::Item::ForeignMod(item) => {
                    for item in &item.items {
                        if let syn::ForeignItem::Fn(function) = item {
                            let name = function.sig.ident.to_string();
                            self.functions.insert(name, signature(&function.sig));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn add_record(&mut self, name: String, kind: &str, fields: &syn::Fields) {
        // bindgen's own, not the header's.
        if name.starts_with("__Bindgen") || name.starts_with("__IncompleteArrayField") {
            return;
        }
        let field = |field: &syn::Field| {
            let name = field.ident.as_ref().map_or_else(String::new, ToString::to_string);
            format!("{kind} field {name}: {}", tokens(&field.ty))
        };
        self.records.insert(name, fields.iter().map(field).collect());
    }

    fn add_constant(&mut self, name: &str, item: &syn::ItemConst) {
        match name.strip_prefix(MACRO) {
            // The macro's value; what type bindgen would give the macro follows from it.
            Some(name) => self.constants.insert(name.to_owned(), tokens(&item.expr)),
            // bindgen's own idea of a macro: the same value again.
            None if !name.contains("::") => None,
            None => self
                .constants
                .insert(name.to_owned(), format!("{} = {}", tokens(&item.ty), tokens(&item.expr))),
        };
    }

    /// Every name of a type or function, for bindgen to look for elsewhere.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.records.keys().chain(self.aliases.keys()).chain(self.functions.keys());
        names.filter(|name| !name.contains("__bindgen")).map(|name| name.replace("::Type", "")).collect()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            types: self.records.len() + self.aliases.len(),
            fields: self.records.values().map(Vec::len).sum(),
            constants: self.constants.len(),
            functions: self.functions.len(),
            layouts: self.layouts.len(),
        }
    }

    /// What of `self` is absent or otherwise in `real`, in words.
    pub(super) fn differences(&self, real: &Self) -> Vec<String> {
        let mut all = Vec::new();
        for (name, fields) in &self.records {
            // Declared without its contents: whatever those are, nobody here looks at them.
            if fields.iter().any(|field| field.contains("_unused")) && real.records.contains_key(name) {
                continue;
            }
            match real.records.get(name) {
                None => all.push(format!("type {name}: not in the WDK")),
                Some(theirs) if theirs == fields => {}
                Some(theirs) => all.extend(lines(name, fields, theirs)),
            }
        }
        compare("type", &self.aliases, &real.aliases, &mut all);
        compare("constant", &self.constants, &real.constants, &mut all);
        compare("function", &self.functions, &real.functions, &mut all);
        let known = |what: &str| {
            let record = what.rsplit(' ').next().unwrap_or(what).split("::").next().unwrap_or(what);
            self.records
                .get(record)
                .is_some_and(|fields| !fields.iter().any(|field| field.contains("_unused")))
        };
        for (what, bytes) in self.layouts.iter().filter(|(what, _)| known(what)) {
            match real.layouts.get(what) {
                Some(theirs) if theirs == bytes => {}
                Some(theirs) => all.push(format!("{what}: {bytes} here, {theirs} in the WDK")),
                None => all.push(format!("{what}: {bytes} here, unknown in the WDK")),
            }
        }
        all
    }
}

fn compare(
    kind: &str,
    ours: &BTreeMap<String, String>,
    theirs: &BTreeMap<String, String>,
    all: &mut Vec<String>,
) {
    for (name, here) in ours {
        match theirs.get(name) {
            Some(there) if there == here => {}
            Some(there) => all.push(format!("{kind} {name}: {here} here, {there} in the WDK")),
            None => all.push(format!("{kind} {name}: not in the WDK")),
        }
    }
}

/// The fields of a record that differ, by position.
fn lines(name: &str, ours: &[String], theirs: &[String]) -> Vec<String> {
    let absent = "nothing".to_owned();
    (0..ours.len().max(theirs.len()))
        .map(|index| (ours.get(index).unwrap_or(&absent), theirs.get(index).unwrap_or(&absent)))
        .filter(|(here, there)| here != there)
        .map(|(here, there)| format!("type {name}: {here} here, {there} in the WDK"))
        .collect()
}

/// The source of a type or expression, without the names of parameters: those are documentation.
fn tokens(node: &impl ToTokens) -> String {
    let text = node.to_token_stream().to_string();
    match syn::parse_str::<syn::Type>(&text) {
        Ok(mut kind) => {
            syn::visit_mut::VisitMut::visit_type_mut(&mut Anonymous, &mut kind);
            kind.to_token_stream().to_string()
        }
        Err(_) => text,
    }
}

/// Removes the names of a function type's parameters.
struct Anonymous;

impl syn::visit_mut::VisitMut for Anonymous {
    fn visit_type_fn_ptr_mut(&mut self, function: &mut syn::TypeFnPtr) {
        for argument in &mut function.inputs {
            argument.name = None;
        }
        syn::visit_mut::visit_type_fn_ptr_mut(self, function);
    }
}

fn signature(signature: &syn::Signature) -> String {
    let argument = |argument: &syn::FnArg| match argument {
        syn::FnArg::Typed(argument) => tokens(&argument.ty),
        syn::FnArg::Receiver(_) => "self".to_owned(),
    };
    let mut arguments: Vec<String> = signature.inputs.iter().map(argument).collect();
    arguments.extend(signature.variadic.as_ref().map(|_| "...".to_owned()));
    format!("({}) {}", arguments.join(", "), signature.output.to_token_stream())
}

/// `a::b` and `c` of `use a::b as c`.
fn renamed(tree: &syn::UseTree) -> Option<(String, String)> {
    match tree {
        syn::UseTree::Path(path) => {
            let (from, to) = renamed(&path.tree)?;
            Some((format!("{}::{from}", path.ident), to))
        }
        syn::UseTree::Rename(rename) => Some((rename.ident.to_string(), rename.rename.to_string())),
        _ => None,
    }
}

/// Collects bindgen's layout checks, `["Size of X"][size_of::<X>() - 8usize];`.
struct Layouts<'a>(&'a mut BTreeMap<String, u64>);

impl Visit<'_> for Layouts<'_> {
    fn visit_expr_index(&mut self, index: &syn::ExprIndex) {
        if let (syn::Expr::Array(array), syn::Expr::Binary(check)) = (&*index.expr, &*index.index)
            && let Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(what), .. })) = array.elems.first()
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(bytes), .. }) = &*check.right
            && let Ok(bytes) = bytes.base10_parse()
        {
            self.0.insert(what.value(), bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDINGS: &str = r#"
        pub type ULONG = ::core::ffi::c_ulong;
        #[repr(C)] pub struct _PAIR { pub First: ULONG, pub Next: *mut _PAIR }
        #[repr(C)] pub struct _HIDDEN { _unused: [u8; 0] }
        const _: () = { ["Size of _PAIR"][::core::mem::size_of::<_PAIR>() - 16usize];
                        ["Offset of field: _PAIR::Next"][::core::mem::offset_of!(_PAIR, Next) - 8usize]; };
        pub const wdk_diff_macro_FLAG: ::core::ffi::c_longlong = 1;
        pub mod _KIND { pub type Type = ::core::ffi::c_int; pub const Zero: Type = 0; }
        pub use self::_KIND::Type as KIND;
        pub type CALLBACK = ::core::option::Option<unsafe extern "C" fn(arg1: ULONG) -> ULONG>;
        unsafe extern "C" { pub fn Call(a: ULONG, ...) -> ULONG; }
    "#;

    fn differences(edit: impl Fn(&str) -> String) -> Vec<String> {
        Interface::of(BINDINGS).unwrap().differences(&Interface::of(&edit(BINDINGS)).unwrap())
    }

    #[test]
    fn all_is_counted() {
        let counts = Counts { types: 6, fields: 3, constants: 2, functions: 1, layouts: 2 };
        assert_eq!(Interface::of(BINDINGS).unwrap().counts(), counts);
    }

    #[test]
    fn an_interface_equals_itself_and_more() {
        assert_eq!(differences(str::to_owned), Vec::<String>::new());
        let more = |text: &str| format!("{text} pub struct _MORE {{ pub A: ULONG }}");
        assert_eq!(differences(more), Vec::<String>::new());
        assert_eq!(differences(|text| text.replace("arg1", "Length")), Vec::<String>::new());
        assert_eq!(
            differences(|text| text.replace("_unused: [u8; 0]", "pub A: ULONG")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn every_difference_is_named() {
        for (from, to, expected) in [
            ("Next: *mut", "Last: *mut", "type _PAIR: struct field Next"),
            ("First: ULONG", "First: USHORT", "type _PAIR: struct field First"),
            ("16usize", "24usize", "Size of _PAIR: 16 here, 24 in the WDK"),
            ("- 8usize", "- 16usize", "Offset of field: _PAIR::Next"),
            ("longlong = 1", "longlong = 2", "constant FLAG: 1 here, 2 in the WDK"),
            ("Zero: Type = 0", "Zero: Type = 1", "constant _KIND::Zero"),
            ("_KIND::Type as KIND", "_SORT::Type as KIND", "type KIND"),
            ("fn(arg1: ULONG)", "fn(arg1: USHORT)", "type CALLBACK"),
            ("(a: ULONG, ...)", "(a: ULONG)", "function Call"),
            ("fn Call", "fn Fall", "function Call: not in the WDK"),
            ("struct _HIDDEN", "struct _SHOWN", "type _HIDDEN: not in the WDK"),
        ] {
            let found = differences(|text| text.replace(from, to));
            assert!(found.iter().any(|line| line.starts_with(expected)), "{from}: {found:?}");
        }
    }
}
