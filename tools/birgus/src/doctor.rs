//! What this host lacks.
pub fn run(_paths: &crate::paths::Paths, _install: bool) -> anyhow::Result<u8> {
    Ok(0)
}
