//! Arguments → configuration → server → exit code.

use std::process::ExitCode;
use tidings::{Config, Server};

fn main() -> ExitCode {
    env_logger::init();
    let mut config = Config::default();
    if let Some(a) = std::env::args().nth(1) {
        config.server.listen = vec![a.parse().expect("address")];
    }
    let server = Server::start(config).expect("start");
    for a in server.addresses() {
        println!("listening on http://{a}");
    }
    let outcome = server.run_until_signal().expect("signals");
    eprintln!("{outcome:?}");
    ExitCode::SUCCESS
}
