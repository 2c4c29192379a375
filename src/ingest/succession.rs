//! How a CRL that is to be believed stands to what is held: next, the same, overtaken, or never.
//!
//! RFC 5280 5.2.3 (numbers of a scope go up) and 5.2.4 (when a delta CRL applies). One sequence of
//! numbers serves the complete and the delta CRLs of a scope, so one sequence of times does too.

use super::Refused;
use super::guard::Before;
use super::judge::{Judged, hexadecimal};
use crate::store::{Layer, ScopeRecord, ScopeRecordDraft, Store};
use crate::x509::UnixTime;

/// How a CRL stands to what is held of one scope.
pub(super) enum Standing {
    /// It takes the place of this, or is the first of its scope.
    Next(Before),
    /// It is what is held already.
    Same,
    /// It is a delta CRL, and the complete one that is held says all that it does.
    Overtaken,
}

/// RFC 5280 6.3.3 (f) wants a valid path to the key: a CRL that is signed by a certificate which
/// another CRL that is held revokes is not used (a hold counts until it is lifted).
///
/// # Errors
/// [`Refused::SignerRevoked`].
pub(super) fn check_signer<E>(store: &Store, judged: &Judged<E>) -> Result<(), Refused> {
    let Some((issuer, serial)) = judged.signer else { return Ok(()) };
    let rows = store.view()?.revocations(issuer, &serial)?;
    let is_lifted = rows.iter().any(|row| row.revocation.is_removal());
    let is_revoked =
        rows.iter().any(|row| row.revocation.is_permanent() || row.revocation.is_hold() && !is_lifted);
    if is_revoked { Err(Refused::SignerRevoked) } else { Ok(()) }
}

/// Looks the scope of `draft` up. `delta_base` is BaseCRLNumber, where it is a delta CRL.
///
/// # Errors
/// When the CRL may not come after what is held.
pub(super) fn standing(
    store: &Store,
    draft: &ScopeRecordDraft,
    delta_base: Option<&[u8]>,
) -> Result<Standing, Refused> {
    let held = store.scope(&draft.key)?;
    let Some(base) = delta_base else {
        return match &held {
            Some(held) if held.crl.crl_sha256 == draft.crl_sha256 => Ok(Standing::Same),
            Some(held) => {
                check_succession(held, draft)?;
                let delta = store.scope(&draft.key.of_layer(Layer::Delta))?;
                check_overtaking(delta.as_ref(), draft)?;
                Ok(Standing::Next(Before::Complete { entries: held.entries }))
            }
            None => Ok(Standing::Next(Before::Nothing)),
        };
    };
    let complete = store.scope(&draft.key.of_layer(Layer::Complete))?;
    let Some(complete) = applies_to(draft, base, complete.as_ref())? else {
        return Ok(Standing::Overtaken);
    };
    let mut is_in_force = false;
    if let Some(held) = &held {
        if held.crl.crl_sha256 == draft.crl_sha256 {
            return Ok(Standing::Same);
        }
        check_succession(held, draft)?;
        is_in_force = held.crl.is_newer_than(&complete.crl);
    }
    Ok(Standing::Next(Before::Delta { complete: complete.entries, is_in_force }))
}

/// The complete CRL that is held, if a delta CRL from `base` on applies to it (RFC 5280 5.2.4): the
/// complete one has the base's number or a higher one, and a lower one than the delta. With the delta's
/// own number or a higher one it already says all that the delta does: then not, and nothing is wrong. To a
/// scope that was retired none applies, however new: only a complete CRL brings it back.
fn applies_to<'a>(
    delta: &ScopeRecordDraft,
    base: &[u8],
    complete: Option<&'a ScopeRecord>,
) -> Result<Option<&'a ScopeRecord>, Refused> {
    if delta.crl_number.is_empty() {
        return Err(Refused::DeltaWithoutNumber);
    }
    let Some(complete) = complete else { return Err(Refused::before_base(base)) };
    // Its record keeps the number of a CRL that is in force no more: there is nothing to apply it to.
    if complete.is_retired() {
        return Err(Refused::ScopeRetired);
    }
    let held = &complete.crl.crl_number;
    if (held.len(), held.as_slice()) < (base.len(), base) {
        return Err(Refused::DeltaBaseTooNew { base: hexadecimal(base), held: hexadecimal(held) });
    }
    if !delta.is_newer_than(&complete.crl) {
        return Ok(None);
    }
    // The higher number cannot be of an earlier time.
    check_times(complete.crl.this_update, delta.this_update)?;
    Ok(Some(complete))
}

/// A complete CRL with the number of the delta CRL that is held, or a higher one, overtakes it, and
/// cannot be of an earlier time: it would undo what came in between.
fn check_overtaking(delta: Option<&ScopeRecord>, complete: &ScopeRecordDraft) -> Result<(), Refused> {
    match delta {
        Some(delta) if !delta.crl.is_newer_than(complete) => {
            check_times(delta.crl.this_update, complete.this_update)
        }
        _ => Ok(()),
    }
}

/// RFC 5280 5.2.3: numbers of a scope go up, and each has one content. A CRL of another content than
/// the one held must come after it, in number and in time.
fn check_succession(held: &ScopeRecord, offered: &ScopeRecordDraft) -> Result<(), Refused> {
    let (held_number, number) = (&held.crl.crl_number, &offered.crl_number);
    match (held_number.is_empty(), number.is_empty()) {
        (false, true) => return Err(Refused::NumberMissing { held: hexadecimal(held_number) }),
        (false, false) => {
            // Both are big-endian without leading zeros: the longer one is the greater.
            let order = (number.len(), number).cmp(&(held_number.len(), held_number));
            match order {
                std::cmp::Ordering::Less | std::cmp::Ordering::Equal if held.is_retired() => {
                    return Err(Refused::ScopeRetired);
                }
                std::cmp::Ordering::Less => {
                    return Err(Refused::NumberRolledBack {
                        held: hexadecimal(held_number),
                        offered: hexadecimal(number),
                    });
                }
                std::cmp::Ordering::Equal => {
                    return Err(Refused::SameNumberOtherContent { number: hexadecimal(number) });
                }
                std::cmp::Ordering::Greater => {}
            }
        }
        // Without a number its time says which CRL it is.
        (true, _) if held.is_retired() && offered.this_update <= held.crl.this_update => {
            return Err(Refused::ScopeRetired);
        }
        (true, _) => {}
    }
    check_times(held.crl.this_update, offered.this_update)
}

fn check_times(held: UnixTime, offered: UnixTime) -> Result<(), Refused> {
    if offered < held { Err(Refused::TimeRolledBack { held, offered }) } else { Ok(()) }
}
