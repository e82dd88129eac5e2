use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

/// Every package of the environment, pinned.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// Installs schemathesis into the user's cache, once per set of versions, and says where its program is.
///
/// # Errors
///
/// Without Python 3.10 or newer with `venv`, or where the packages cannot be had: a run that did nothing is never green.
pub fn install() -> anyhow::Result<PathBuf> {
    let home = cache()?.join("authkit-ci").join("schemathesis");
    fs::create_dir_all(&home)?;
    let lock = fs::File::create(home.join("lock"))?;
    lock.lock()?;
    let (environment, installed) = (home.join("venv"), home.join("installed.txt"));
    let program = environment.join("bin").join("schemathesis");
    if fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) && program.exists() {
        return Ok(program);
    }
    let requirements = home.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .context("Python 3 with venv is needed; on Debian: apt-get install python3-venv")?;
    let mut pip = Command::new(environment.join("bin").join("pip"));
    run(pip
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"])
        .arg(&requirements))?;
    fs::rename(&requirements, &installed)?;
    Ok(program)
}

#[expect(clippy::disallowed_methods, reason = "where caches are kept is said in the environment")]
fn cache() -> anyhow::Result<PathBuf> {
    let set = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || set("HOME").map(|home| Path::new(&home).join(".cache"));
    set("XDG_CACHE_HOME").or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
