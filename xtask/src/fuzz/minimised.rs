//! What fuzzing found worth keeping, checked in: `fuzz/minimised/<target>.bin`.
//!
//! ```text
//! corpus/<target>/      everything: seeds, and what runs on this machine found; not checked in
//!     │ --minimise      what reaches something that the seeds do not, the shortest first
//!     ▼
//! minimised/<target>.bin      inputs, each behind its length (uint32, big-endian), by length
//!     │ every run
//!     ▼
//! corpus/<target>/
//! ```
//!
//! One file a target, since thousands of files of some bytes each would be most of the tree.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{LIMITS, finding, output, seeds};

/// Writes the checked-in inputs of a target into its corpus, beside what is there already.
pub(super) fn unpack(fuzz: &Path, target: &str) -> Result<()> {
    let packed = fuzz.join("minimised").join(target).with_extension("bin");
    if !packed.exists() {
        return Ok(());
    }
    let bytes = fs::read(&packed).with_context(|| format!("cannot read {packed:?}"))?;
    let inputs = inputs(&bytes).with_context(|| format!("{packed:?} is cut off"))?;
    for input in inputs {
        // The same name for the same input: unpacking again adds nothing.
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let path = fuzz.join("corpus").join(target).join(format!("kept-{:016x}", hasher.finish()));
        fs::write(&path, input).with_context(|| format!("cannot write {path:?}"))?;
    }
    Ok(())
}

/// Packs what the corpus of a target reaches beyond its seeds, at most `len_max` bytes of it, and
/// says how much that is.
pub(super) fn pack(root: &Path, binary: &Path, target: &str, len_max: usize) -> Result<String> {
    let fuzz = root.join("fuzz");
    let merged = binary.with_extension("merged");
    if merged.exists() {
        fs::remove_dir_all(&merged).with_context(|| format!("cannot remove {merged:?}"))?;
    }
    seeds::write(root, &merged, target)?;
    let seeds = files(&merged)?;
    // Takes of the second folder what adds to the first.
    let mut merge = Command::new(binary);
    merge.arg("-merge=1").arg(&merged).arg(fuzz.join("corpus").join(target)).args(LIMITS);
    let run = output(&mut merge)?;
    let log = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "{}\n{}", finding(&log, binary), run.status);

    let mut found = files(&merged)?;
    found.retain(|input| seeds.binary_search(input).is_err());
    found.sort_by_key(Vec::len);
    let all = found.len();
    let mut packed = Vec::new();
    for input in &found {
        if packed.len() + LENGTH_SIZE + input.len() > len_max {
            break;
        }
        packed.extend_from_slice(&u32::try_from(input.len())?.to_be_bytes());
        packed.extend_from_slice(input);
    }
    let kept = inputs(&packed).map_or(0, |inputs| inputs.len());
    let folder = fuzz.join("minimised");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {folder:?}"))?;
    let path = folder.join(target).with_extension("bin");
    fs::write(&path, &packed).with_context(|| format!("cannot write {path:?}"))?;
    Ok(format!("{:>9}{all:>12}{kept:>9}{:>9}", seeds.len(), packed.len()))
}

/// The inputs of a packed file; `None` if it is cut off.
fn inputs(mut packed: &[u8]) -> Option<Vec<&[u8]>> {
    let mut inputs = Vec::new();
    while !packed.is_empty() {
        let (len, rest) = packed.split_first_chunk::<LENGTH_SIZE>()?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        let (input, rest) = rest.split_at_checked(len)?;
        inputs.push(input);
        packed = rest;
    }
    Some(inputs)
}

/// The contents of all files of a folder, in order.
fn files(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {folder:?}"))? {
        let path = entry?.path();
        files.push(fs::read(&path).with_context(|| format!("cannot read {path:?}"))?);
    }
    files.sort();
    Ok(files)
}

pub(super) const COLUMNS: &str = "    seeds  found more     kept    bytes";

/// Most bytes of all packed files together.
pub(super) const ALL_LEN_MAX: usize = 2 * 1024 * 1024;

/// Bytes of the length in front of an input.
const LENGTH_SIZE: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_packed_file_is_read_to_its_end() {
        let packed = [&[0, 0, 0, 1][..], b"a", &[0, 0, 0, 0], &[0, 0, 0, 2], b"bc"].concat();
        assert_eq!(inputs(&packed), Some(vec![&b"a"[..], b"", b"bc"]));
        assert_eq!(inputs(&[]), Some(vec![]));
        for end in [1, 4, packed.len() - 1] {
            assert_eq!(inputs(&packed[..end]), None, "{end}");
        }
    }

    #[test]
    fn what_is_checked_in_is_small_and_belongs_to_targets() {
        let fuzz = crate::root().join("fuzz");
        let targets = names(&fuzz.join("fuzz_targets")).unwrap();
        let mut len = 0;
        for name in names(&fuzz.join("minimised")).unwrap_or_default() {
            assert!(targets.contains(&name), "{name}");
            let packed =
                fs::read(fuzz.join("minimised").join(&name).with_extension("bin")).unwrap();
            assert!(inputs(&packed).is_some(), "{name} is cut off");
            len += packed.len();
        }
        assert!(len <= ALL_LEN_MAX, "{len} bytes");
    }
}
