//! What CI runs.
#[derive(clap::Args, Debug)]
pub struct Options {
    pub names: Vec<String>,
}
pub fn run(_paths: &crate::paths::Paths, _options: &Options) -> anyhow::Result<u8> {
    Ok(0)
}
