//! Listens on a fixed port of lo. Two of these run at once, and each ends when it has seen that the
//! other listens, too.

use std::fs;
use std::net::TcpListener;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn port() {
    let _listener = TcpListener::bind("127.0.0.1:8080").unwrap();
    let name = std::env::var("JOB").unwrap();
    fs::create_dir_all("listens").unwrap();
    fs::write(format!("listens/{name}"), "").unwrap();
    for _ in 0..1000 {
        if fs::read_dir("listens").unwrap().count() == 2 {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("the other does not listen");
}
