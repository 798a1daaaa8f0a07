//! `cargo dist-image`: the operator's image as a file, made without a container engine, and the list of what is in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use devcluster::{
    image::{Archive, Image},
    place::{cache, checkout, make_folder},
    progress::Progress,
    run,
};

/// Make the operator's image of what is committed, for a registry to take, and the list of what is in it (SBOM).
///
/// The image is an archive in the layout of the Open Container Initiative: skopeo, crane, oras and `ctr images import` take it. The
/// same sources give the same image, byte for byte, wherever they lie: `--twice` makes it from a second copy and compares. The list is
/// CycloneDX JSON, made by cargo-cyclonedx, which is installed into the cache the first time.
#[derive(Parser)]
#[command(name = "cargo dist-image --", version)]
struct Flags {
    /// The folder that both are written to
    #[arg(long, default_value = "target/dist")]
    output: PathBuf,
    /// What the image is called
    #[arg(long, default_value = concat!("roadstead:", env!("CARGO_PKG_VERSION")))]
    name: String,
    /// Make it once more in another place, and fail if it is another image
    #[arg(long)]
    twice: bool,
}

/// The tool that lists what is in a program.
const LISTER: &str = "cargo-cyclonedx";
const LISTER_VERSION: &str = "0.5.9";

fn main() -> ExitCode {
    match make(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dist-image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn make(flags: &Flags) -> Result<()> {
    let output = std::path::absolute(&flags.output)?;
    make_folder(&output)?;
    let sources = copied(&output.join("sources"))?;
    let image = image(&sources, &output.join("build"), &flags.name)?;
    let file = output.join("roadstead.tar");
    fs::copy(&image.file, &file).context("cannot write the image")?;
    let list = output.join("roadstead.cdx.json");
    fs::write(&list, listed(&sources)?)?;
    println!("{}\n{}\n{}", file.display(), list.display(), image.digest);
    if flags.twice {
        let elsewhere = tempfile::tempdir()?;
        let sources = copied(&elsewhere.path().join("a-longer-name"))?;
        let again = self::image(&sources, &elsewhere.path().join("build"), &flags.name)?;
        ensure!(
            again.digest == image.digest,
            "made elsewhere it is {}: something of its place is in it",
            again.digest
        );
        println!("made twice, the same");
    }
    Ok(())
}

/// A copy of what is committed: nothing else gets into the image.
fn copied(into: &Path) -> Result<PathBuf> {
    if into.exists() {
        fs::remove_dir_all(into)?;
    }
    make_folder(into)?;
    let archive = tempfile::NamedTempFile::new()?;
    let mut pack = Command::new("git");
    pack.current_dir(checkout())
        .args(["archive", "HEAD", "--output"])
        .arg(archive.path());
    run::output(&mut pack)?;
    tar::Archive::new(archive.reopen()?).unpack(into)?;
    Ok(into.to_owned())
}

/// The image, made of these sources.
fn image(sources: &Path, target: &Path, name: &str) -> Result<Archive> {
    let program = program(sources, target)?;
    Image::of_program(name, program)?.archive()
}

/// The operator as one static program in which no path of this machine is left.
fn program(sources: &Path, target: &Path) -> Result<PathBuf> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let progress = Progress::begin(format!("Building roadstead in {}", sources.display()));
    let known = [
        (target.display().to_string(), "/target"),
        (sources.display().to_string(), "/src"),
        (home()?.display().to_string(), "/cargo"),
    ];
    // The linker's build ID is made before names are stripped, which tell of the flags, and so of the place.
    let fixed = [
        "-Ctarget-feature=+crt-static",
        "-Clink-arg=-Wl,--build-id=none",
    ];
    let flags: Vec<String> = fixed
        .into_iter()
        .map(str::to_owned)
        .chain(
            known
                .iter()
                .map(|(here, there)| format!("--remap-path-prefix={here}={there}")),
        )
        .collect();
    let compiler: Vec<String> = known
        .iter()
        .map(|(here, there)| format!("-ffile-prefix-map={here}={there}"))
        .collect();
    let mut command = run::cargo();
    command
        .current_dir(sources)
        .args(["build", "--quiet", "--release", "--locked"])
        .args(["--package", "roadstead", "--bin", "roadstead"])
        .args(["--target", &host, "--target-dir"])
        .arg(target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CFLAGS", compiler.join(" "));
    run::output(&mut command)?;
    progress.done();
    Ok(target.join(host).join("release/roadstead"))
}

fn home() -> Result<PathBuf> {
    let told = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    told.or_else(usual)
        .context("neither CARGO_HOME nor HOME is set")
}

/// What is in the program, as CycloneDX JSON: the same for the same sources.
fn listed(sources: &Path) -> Result<String> {
    let tools = cache()?.join("tools");
    let tool = tools.join("bin").join(LISTER);
    if !tool.exists() {
        let progress = Progress::begin(format!("Installing {LISTER}"));
        let mut install = run::cargo();
        install
            .args(["install", "--quiet", "--locked", "--root"])
            .arg(&tools)
            .arg(format!("{LISTER}@{LISTER_VERSION}"));
        run::output(&mut install)?;
        progress.done();
    }
    let manifest = sources.join("Cargo.toml");
    let mut list = Command::new(tool);
    list.args(["cyclonedx", "--format", "json", "--no-build-deps"])
        .args(["--override-filename", "roadstead.cdx", "--manifest-path"])
        .arg(&manifest)
        .env("SOURCE_DATE_EPOCH", "0");
    run::output(&mut list)?;
    let text = fs::read_to_string(sources.join("roadstead.cdx.json"));
    let text = text.context("it listed nothing")?;
    Ok(text.replace(&sources.display().to_string(), "/src"))
}
