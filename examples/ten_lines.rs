//! A server in ten lines, as the tutorial page shows it: it publishes one number a second on the channel `news`.
use tidings::{Config, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(Config::default())?; // http://127.0.0.1:8080
    for tick in 1.. {
        server.publish("news", format!("{{\"tick\":{tick}}}"))?;
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    Ok(())
}
