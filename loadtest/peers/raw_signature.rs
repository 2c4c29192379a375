//! What a signature costs by itself, with the key and the library that ocsprey signs with.
//!
//! `raw_signature KEY.pem SECONDS` signs octets as long as a response without its certificates and prints
//! the CPU microseconds of one signature. `loadtest/peers/run` calls it in every round.

use ocsprey::signing::{Signer, SoftwareKey};
use ocsprey_load::processor::Spent;
use std::io::{self, Write};
use std::process::ExitCode;

/// tbsResponseData about one certificate, by the octet or so.
const TO_BE_SIGNED: usize = 170;
/// Between two looks at the processor's time.
const BATCH: u64 = 200;

fn micros(key: &str, seconds: f64) -> Result<f64, String> {
    let pem = std::fs::read(key).map_err(|why| format!("{key}: {why}"))?;
    let key = SoftwareKey::from_pkcs8_pem(&pem).map_err(|why| format!("{key}: {why}"))?;
    let spent = || Spent::by("self").ok_or("no CPU time: this needs /proc");
    let (mut message, mut signature) = ([0x5a; TO_BE_SIGNED], Vec::new());
    let (begin, mut signed) = (spent()?, 0_u64);
    loop {
        for _ in 0..BATCH {
            signed += 1;
            message[..8].copy_from_slice(&signed.to_be_bytes());
            signature.clear();
            key.sign(&message, &mut signature).map_err(|why| why.to_string())?;
        }
        let taken = spent()?.since(&begin);
        if taken >= seconds {
            return Ok(taken * 1e6 / signed as f64);
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measured = match arguments.as_slice() {
        [key, seconds] => seconds
            .parse()
            .map_err(|_| "SECONDS is a number".to_owned())
            .and_then(|seconds| micros(key, seconds)),
        _ => Err("usage: raw_signature KEY.pem SECONDS".to_owned()),
    };
    let written = match &measured {
        Ok(micros) => writeln!(io::stdout(), "{micros:.3}"),
        Err(why) => writeln!(io::stderr(), "error: raw_signature: {why}"),
    };
    if measured.is_ok() && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
