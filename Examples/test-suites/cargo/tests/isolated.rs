//! Looks around from the inside: passes if the tests are wrapped as `--preset test` promises.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// The source tree may lie below the directory; nothing else does.
fn expect_empty(directory: impl AsRef<Path>) {
    let tree = std::env::current_dir().unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        assert!(tree.starts_with(&path), "{} is not private", path.display());
    }
}

#[test]
fn temporary_directories_are_empty() {
    for directory in ["/tmp", "/var/tmp", "/dev/shm"] {
        expect_empty(directory);
    }
}

#[test]
fn home_is_empty() {
    expect_empty(std::env::var("HOME").unwrap());
}

#[test]
fn host_is_called_test() {
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), "test\n");
}

#[test]
fn network_is_unreachable() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let failure = socket.connect("192.0.2.1:9").unwrap_err();
    assert_eq!(failure.raw_os_error(), Some(101), "{failure}");
}

#[test]
fn processes_are_limited() {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max processes")).unwrap();
    let limit: u32 = line.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(limit <= 4096, "{line}");
}

#[test]
fn source_tree_is_writable() {
    fs::write("written", "by a test").unwrap();
}

/// Leaves a daemon behind, which holds a lock.
#[test]
fn daemon() {
    Command::new("setsid")
        .args(["flock", "daemon.lock", "sleep", "1000"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let is_free = || Command::new("flock").args(["--nonblock", "daemon.lock", "true"]).status();
    while !Path::new("daemon.lock").exists() || is_free().unwrap().success() {
        sleep(Duration::from_millis(10));
    }
}
