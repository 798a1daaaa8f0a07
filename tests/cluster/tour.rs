//! The README's ten-minute tour, block by block, as a reader would type it.

use anyhow::{Context, Result, bail};

use crate::world::{Said, World};

/// Every block of the tour does what it says, in order.
pub async fn every_block_of_the_readme_works(world: World) -> Result<()> {
    let blocks = blocks(include_str!("../../README.md"));
    if blocks.len() < 5 {
        bail!("the README has no tour");
    }
    // The tour chooses a namespace for its reader: in a kubeconfig of its own, or it would choose for every other story.
    let own = tempfile::NamedTempFile::new()?;
    std::fs::copy(world.kubeconfig(), own.path())?;
    for block in blocks {
        let script = format!("export KUBECONFIG='{}'\n{block}", own.path().display());
        let said: Said = world
            .run(&["bash", "-euo", "pipefail", "-c", &script], None)
            .await?;
        said.ok(&block)
            .context("a block of the README's tour fails")?;
    }
    Ok(())
}

/// The blocks that begin with "```sh tour".
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match &mut block {
            None if line == "```sh tour" => block = Some(String::new()),
            None => {}
            Some(_) if line == "```" => found.extend(block.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    found
}
