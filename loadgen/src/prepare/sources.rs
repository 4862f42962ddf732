//! The addresses that connections come from.

use crate::cli::RunArgs;
use crate::plan::Target;
use std::net::IpAddr;

/// How many addresses of 127.0.0.0/8 connections come from on loopback: each has ports of its own.
const LOOPBACK_SOURCES: u8 = 200;

/// The addresses that connections come from: those that were requested, and on loopback many, each with ports of its own.
pub(crate) fn sources(args: &RunArgs, target: &Target) -> Result<Vec<IpAddr>, String> {
    if args.source_ip.is_empty() {
        let is_loopback = target.addresses.iter().all(|address| address.ip().is_loopback() && address.is_ipv4());
        return Ok(if is_loopback {
            (1..=LOOPBACK_SOURCES).map(|last| IpAddr::from([127, 0, 9, last])).collect()
        } else {
            Vec::new()
        });
    }
    let mut sources = Vec::new();
    for text in args.source_ip.iter().flat_map(|list| list.split(',')) {
        sources.extend(range(text.trim())?);
    }
    Ok(sources)
}

/// The addresses of a range such as 10.0.0.0/24; at most 65,536 of them.
fn range(text: &str) -> Result<Vec<IpAddr>, String> {
    let wrong = || {
        format!(
            "--source-ip: `{text}` is neither an address nor a range such as 10.0.0.0/24 (at most 65,536 addresses)"
        )
    };
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits: u32 = bits.map_or(Ok(width), str::parse).map_err(|_| wrong())?;
    let free = width.checked_sub(bits).filter(|free| *free <= 16).ok_or_else(wrong)?;
    let count = 1_u128 << free;
    Ok(match address {
        IpAddr::V4(address) => {
            let first = u32::from(address) >> free << free;
            (0..count).map(|step| IpAddr::V4((first + u32::try_from(step).unwrap_or(0)).into())).collect()
        }
        IpAddr::V6(address) => {
            let first = u128::from(address) & !(count - 1);
            (0..count).map(|step| IpAddr::V6((first + step).into())).collect()
        }
    })
}
