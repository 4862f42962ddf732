//! Which of a name's addresses is measured: the first at which a server listens.

use crate::cli::RunArgs;
use crate::prepare::{Prepared, sources};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an address may take to answer, when there is another one.
const PATIENCE: Duration = Duration::from_secs(3);

/// The first address that takes a connection, and why those before it did not.
pub(crate) fn first_that_listens(addresses: &[SocketAddr]) -> (Option<SocketAddr>, Vec<String>) {
    let mut failed = Vec::new();
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(_) => return (Some(*address), failed),
            Err(error) => failed.push(format!("{address} ({error})")),
        }
    }
    (None, failed)
}

/// The same run at one address: two of a name would be two servers. With one there is nothing to choose.
pub(super) fn choose(prepared: &Prepared, args: &RunArgs) -> Result<Prepared, String> {
    let mut chosen = prepared.clone();
    let target = &mut chosen.plan.target;
    if target.addresses.len() < 2 {
        return Ok(chosen);
    }
    let (first, failed) = first_that_listens(&target.addresses);
    let all = failed.join(", ");
    match first {
        Some(address) => {
            target.addresses = vec![address];
            if !failed.is_empty() {
                chosen.warnings.push(format!("{} is measured at {address}; no server listens at {all}", target.host));
            }
        }
        None => chosen.warnings.push(format!("no server listens at any address of {}: {all}", target.host)),
    }
    chosen.plan.sources = sources(args, &chosen.plan.target)?;
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::first_that_listens;
    use std::net::{SocketAddr, TcpListener};

    #[test]
    fn every_address_is_tried_until_somebody_listens() {
        let (one, two) =
            (TcpListener::bind("127.0.0.1:0").expect("a port"), TcpListener::bind("127.0.0.1:0").expect("a port"));
        let address = |listener: &TcpListener| -> SocketAddr { listener.local_addr().expect("it is bound") };
        let (here, gone) = (address(&one), address(&two));
        drop(two);
        let (found, failed) = first_that_listens(&[gone, here]);
        assert_eq!((found, failed.len()), (Some(here), 1));
        assert!(failed[0].contains(&gone.to_string()) && failed[0].contains("refused"), "{failed:?}");
        assert_eq!(first_that_listens(&[here, gone]), (Some(here), Vec::new()));
        assert_eq!(first_that_listens(&[gone]).0, None);
    }
}
