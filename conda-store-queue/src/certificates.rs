//! For tests: a service's certificate, and the authority that signed it.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::{path::Path, process::Command};

/// Writes `ca.pem`, and `server.pem` and `server.key` for the address 127.0.0.1.
pub(crate) fn certificates(directory: &Path) {
    std::fs::write(directory.join("extensions"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    openssl(directory, &[&["req", "-x509", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"], &key[..]]);
    openssl(directory, &[&["req", "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr"], &key[..]]);
    let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(directory, &[&sign[..], &["-extfile", "extensions", "-out", "server.pem"]]);
}

fn openssl(directory: &Path, arguments: &[&[&str]]) {
    let output = Command::new("openssl").current_dir(directory).args(arguments.concat()).output();
    let output = output.expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
