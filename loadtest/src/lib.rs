//! ocsprey-load: how an OCSP responder behaves under load, measured so that the figures can be trusted.
//!
//! The map, in the order in which a run goes through it:
//!
//! | module | what it is |
//! | --- | --- |
//! | [`command`] | the command line: which plan, which target, where the report goes |
//! | [`plan`] | `plans/*.toml`: the shape of a load, and what is wrong with it |
//! | [`target`] | the responder's URL, and the rule that only this machine is put under load |
//! | [`serials`] | whom the requests ask about, and in what order |
//! | [`request`] | OCSP requests in DER, as POST and as GET |
//! | [`schedule`] | when each request of an open loop is due |
//! | [`drive`] | **the load**: connections, pacing, one thread and one runtime each |
//! | [`transport`] | TCP, TLS, and HTTP/1.1 or HTTP/2 over them |
//! | [`wire`] | HTTP/1.1 on a bare socket |
//! | [`http2`] | HTTP/2, by hyper |
//! | [`answer`] | whether an answer is one to what was asked: every answer |
//! | [`verify`] | whether it may be believed, signature and all: a sample, after the run |
//! | [`tally`] | counts and histograms of one thread |
//! | [`processor`] | CPU time of the responder and of this program |
//! | [`run`] | threads, progress, and the tallies put together |
//! | [`report`] | what is told: text, JSON |
//! | [`compare`] | two reports side by side |
//! | [`page`] | one report, or two, as an HTML page |
//! | [`chart`] | its plots, in SVG |
//!
//! What makes the figures hold: latency counts from the moment a request was *due*, not from when a
//! connection was free for it (no coordinated omission); every answer is matched with its question;
//! what never got an answer is in the report; and how late this program itself was is too.

pub mod answer;
pub mod chart;
pub mod command;
pub mod compare;
pub mod drive;
pub mod http2;
pub mod page;
pub mod plan;
pub mod processor;
pub mod progress;
pub mod report;
pub mod request;
pub mod run;
pub mod schedule;
pub mod serials;
mod stopwatch;
pub mod tally;
pub mod target;
pub mod transport;
pub mod verify;
pub mod wire;
