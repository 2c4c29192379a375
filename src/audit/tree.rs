//! A Merkle tree over the records of a segment, as RFC 9162 2.1 has it.
//!
//! [`Frontier`] grows with each record, in memory that does not; [`proof`] is what it takes to show that one
//! record is in a tree, and [`root_of_proof`] what somebody else makes of it who has nothing but that record.

use crate::signing::Sha256Stream;

pub type Hash = [u8; 32];

/// The hash of a record: RFC 9162 2.1.1, with its kind and its octets as the entry.
#[must_use]
pub fn leaf(kind: u8, body: &[u8]) -> Hash {
    let mut hash = Sha256Stream::new();
    hash.update(&[0, kind]);
    hash.update(body);
    hash.finish()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256Stream::new();
    hash.update(&[1]);
    hash.update(left);
    hash.update(right);
    hash.finish()
}

/// The right edge of a growing tree: the roots of its complete subtrees, the largest first.
#[derive(Debug, Clone, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // As many complete subtrees end here as the size has ones at its end.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Records so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root; of no record at all the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => crate::signing::sha256(&[]),
            Some(last) => peaks.fold(*last, |right, left| node(left, &right)),
        }
    }
}

/// The root over `leaves`.
fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// The hashes that lead from the leaf at `index` to the root over `leaves`, the nearest first; `None` where there
/// is no such leaf.
#[must_use]
pub fn proof(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut leaves, mut index, mut path) = (leaves, index, Vec::new());
    while leaves.len() > 1 {
        // The largest power of two below the number of leaves.
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        if index < left.len() {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            index -= left.len();
            leaves = right;
        }
    }
    path.reverse();
    Some(path)
}

/// The root of a tree of `size` records in which `leaf` is at `index`, by way of `path` (RFC 9162 2.1.3.2).
/// `None` where no tree of that size has such a path.
#[must_use]
pub fn root_of_proof(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            hash = node(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(hash: &Hash) -> String {
        hash.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// The test vectors of Certificate Transparency's reference implementation, of entries without our kind.
    #[test]
    fn rfc_9162_2_1_the_root_of_an_empty_tree_is_the_hash_of_nothing() {
        assert_eq!(
            hex(&Frontier::default().root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        // One entry of one octet 00: leaf hash of "00", published in the same place.
        assert_eq!(hex(&leaf(0, &[])), "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
    }

    /// By the definition in 2.1.1, without a frontier.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [one] => *one,
            several => {
                let (left, right) = several.split_at(several.len().next_power_of_two() / 2);
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proved_and_no_other() {
        let leaves: Vec<Hash> = (0..70u8).map(|number| leaf(7, &[number])).collect();
        for size in 1..=leaves.len() {
            let tree = &leaves[..size];
            let root = root(tree);
            assert_eq!(root, by_definition(tree), "{size}");
            for index in 0..size {
                let path = proof(tree, index).unwrap();
                let of = |leaf, at: usize, size: usize, path: &[Hash]| {
                    root_of_proof(leaf, at as u64, size as u64, path)
                };
                assert_eq!(of(tree[index], index, size, &path), Some(root));
                assert_ne!(of(leaf(8, &[0]), index, size, &path), Some(root));
                if size > 1 {
                    assert_ne!(
                        of(tree[index], (index + 1) % size, size, &path),
                        Some(root),
                        "{index} of {size}"
                    );
                    assert_ne!(of(tree[index], index, size, &path[1..]), Some(root));
                }
            }
            assert_eq!(proof(tree, size), None);
        }
    }
}
