//! How the work that nobody waits for gives way to the answers.
//!
//! Called by `serve`, on the intake's thread before it begins. On Linux niceness is a thread's and not a
//! process's, and is inherited: the threads that fetch URLs, which the intake starts, are as low. RocksDB's own
//! threads are lowered where the store opens it.
//!
//! Niceness 19 is 15 shares of the processor against the 1,024 of a worker: on a busy machine the intake gets
//! the rest, on an idle one everything. The disk follows: without a priority of its own a thread's reads and
//! writes rank by its niceness, last of the ordinary ones. Not the idle classes (`SCHED_IDLE`, `ionice -c 3`):
//! under steady load they may mean never, and a revocation has to come through.

/// The lowest there is.
const NICENESS: i32 = 19;

/// Gives the calling thread, and those that it starts from now on, the lowest priority. Lower never needs a
/// right; where the system refuses all the same, the work goes on as it is.
pub(super) fn lower() {
    if let Err(why) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(reason = %why, "CRLs are taken in at the priority of answers");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    #[test]
    fn only_the_calling_thread_and_those_it_starts_are_lowered() {
        let before = getpriority_process(None).unwrap();
        let lowered = std::thread::spawn(|| {
            super::lower();
            let own = getpriority_process(None).unwrap();
            (own, std::thread::spawn(|| getpriority_process(None).unwrap()).join().unwrap())
        });
        assert_eq!(lowered.join().unwrap(), (19, 19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
