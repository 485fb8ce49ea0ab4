//! The C header of `CO_ADDRESS_FAMILY_PPP` and its example, compiled by this machine's C compiler: the blocks that C
//! clients build are those that the driver reads, and the other way around. (`xtask` compares the declarations, for Windows' compilers too.)

use std::path::{Path, PathBuf};
use std::process::Command;

use condis::destination::Destination;
use condis::ppp;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The example of docs/ppp-clients.md: its C blocks, in order.
fn example() -> String {
    let text = std::fs::read_to_string(root().join("docs/ppp-clients.md")).expect("the document");
    text.split("```c\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The lines that the example's program prints, as bytes; `None` without a C compiler.
fn run(language: &str, standard: &str, incoming: &[u8]) -> Option<Vec<Vec<u8>>> {
    let main = r#"
#include <stdio.h>
static void print(const void *block, unsigned int size) {
    unsigned int at;
    for (at = 0; at < size; at++) { printf("%02x", ((const unsigned char *)block)[at]); }
    printf("\n");
}
int main(void) {
    union { MCM_PPP_CALL Call; MCM_PPP_SAP Sap; MCM_PPP_INCOMING_CALL Incoming; unsigned char Bytes[256]; } block;
    MCM_PPP_INCOMING_CALL incoming;
    const void *service;
    print(&block, ExampleCall(&block.Call, sizeof block));
    print(&block, McmPppBeginCall(&block.Call));
    print(&block, ExampleSap(&block.Sap, sizeof block));
    print(&block, McmPppBeginSap(&block.Sap));
    if (fread(&block, 1, sizeof incoming, stdin) != sizeof incoming) { return 1; }
    incoming = block.Incoming;
    service = ExampleService(&block.Incoming, sizeof incoming + fread(&block.Incoming + 1, 1, 100, stdin));
    print(incoming.Caller, sizeof incoming.Caller);
    print(&incoming.MaxPayload, sizeof incoming.MaxPayload);
    print(service, service ? incoming.ServiceName.Length : 0);
    block.Incoming.ServiceName.Length++;
    if (ExampleService(&block.Incoming, block.Incoming.Head.Size) != 0) { return 1; }
    return ExampleCall(&block.Call, 50) != 0 || McmPppAppend(&block.Call.Head, 47, &block.Call.AcName, "xxxx", 4) != 0;
}
"#;
    let directory = std::env::temp_dir().join(format!("mcm-ppp-{}-{language}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let (source, program) = (directory.join("example.c"), directory.join("example"));
    std::fs::write(&source, example() + main).expect("a source file");
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args([
        "-x",
        language,
        standard,
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Wno-unused-function",
        "-Werror",
    ]);
    compiler.arg("-I").arg(root().join("include")).arg(&source).arg("-o").arg(&program);
    let end = compiler.status();
    if end.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        eprintln!("skipped: there is no C compiler for {language}");
        return None;
    }
    assert!(end.expect("a compiler").success(), "the example does not compile as {language}");
    let input = directory.join("incoming");
    std::fs::write(&input, incoming).expect("a file");
    let stdin = std::fs::File::open(&input).expect("the file");
    let output = Command::new(&program).stdin(stdin).output().expect("the program runs");
    assert!(output.status.success(), "blocks without room, and with lengths beyond their end, are refused");
    let _ = std::fs::remove_dir_all(&directory);
    let hex = |line: &str| {
        let digits: Vec<_> = line.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("a byte")).collect()
    };
    Some(String::from_utf8(output.stdout).expect("digits").lines().map(hex).collect())
}

#[test]
fn blocks_built_in_c_are_read() {
    let mut incoming = [0; ppp::incoming_call::MAX_LENGTH];
    let offer =
        ppp::incoming_call::Offer { max_payload: 1500, caller: [2, 0, 0, 0, 0, 7], service: b"internet" };
    let length = offer.write(&mut incoming).expect("room");
    let Some(blocks) = run("c", "-std=c11", &incoming[..length]) else { return };
    let [call, any_call, sap, any_sap, caller, payload, service] = &blocks[..] else { panic!("{blocks:?}") };
    assert_eq!((caller, service.as_slice()), (&offer.caller.to_vec(), offer.service));
    assert_eq!(payload, &1500_u32.to_ne_bytes());
    let request = ppp::make_call::parse(ppp::TYPE, call).expect("a good block");
    assert_eq!(request.destination, Destination::from_text("concentrator\\internet").expect("a destination"));
    assert_eq!((request.max_payload, request.host_uniq), (1500, &b"client 7"[..]));
    let request = ppp::make_call::parse(ppp::TYPE, any_call).expect("a good block");
    assert_eq!((request.destination, request.max_payload), (Destination::default(), 1492));
    assert_eq!(ppp::sap::parse(ppp::TYPE, sap).expect("a good SAP").as_bytes(), b"internet");
    assert!(ppp::sap::parse(ppp::TYPE, any_sap).expect("a good SAP").is_empty());
}

#[test]
fn the_header_is_c_plus_plus_too() {
    let has_compiler =
        Command::new("c++").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_compiler {
        eprintln!("skipped: there is no C++ compiler");
        return;
    }
    let status = Command::new("c++")
        .args([
            "-std=c++17",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-function",
            "-fsyntax-only",
            "-x",
            "c++",
        ])
        .arg(root().join("include/mcm_ppp.h"))
        .status();
    assert!(status.expect("a compiler").success());
}
