//! `--build`: runs the manifest's build commands, and tells what is not built yet.

use crate::manifest::{Application, Build, Component};
use anyhow::{Context, bail};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What guests are compiled for.
const TARGET: &str = "wasm32-wasip2";
/// How the same application is built and started.
const BUILD_COMMAND: &str = "a4co up --build";

/// Runs each component's build commands, each distinct one once, and reports progress to `progress`.
///
/// # Errors
/// At the first command that fails, after its whole output.
pub fn build(application: &Application, progress: &mut dyn Write) -> anyhow::Result<()> {
    let steps = steps(application);
    if steps.iter().any(|step| step.command.contains(TARGET)) {
        add_target(&application.root, progress)?;
    }
    let count = steps.len();
    for (index, step) in steps.iter().enumerate() {
        writeln!(progress, "building [{}/{count}] {}: {}", index + 1, step.components.join(", "), step.command)?;
        run(step, progress)?;
    }
    Ok(())
}

/// One command, and the components that need it.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    command: &'a str,
    workdir: &'a Path,
    components: Vec<&'a str>,
}

/// The commands in the manifest's order; one that several components share runs once.
fn steps(application: &Application) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for component in &application.components {
        let Some(Build { commands, workdir }) = &component.build else { continue };
        for command in commands {
            match steps.iter_mut().find(|step| step.command == command && step.workdir == workdir) {
                Some(step) => step.components.push(&component.id),
                None => steps.push(Step { command, workdir, components: vec![&component.id] }),
            }
        }
    }
    steps
}

fn run(step: &Step<'_>, progress: &mut dyn Write) -> anyhow::Result<()> {
    let Step { command, workdir, components } = step;
    let output = shell(command)
        .current_dir(workdir)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{command}` in {}", workdir.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let name = components.first().copied().unwrap_or_default();
    for line in String::from_utf8_lossy(&output.stdout).lines().chain(String::from_utf8_lossy(&output.stderr).lines()) {
        writeln!(progress, "{name} | {line}")?;
    }
    bail!("component {name} does not build: `{command}` in {} ended with {}", workdir.display(), output.status)
}

fn shell(command: &str) -> Command {
    let (program, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("/bin/sh", "-c") };
    let mut shell = Command::new(program);
    shell.arg(flag).arg(command);
    shell
}

/// Adds the guests' target where rustup lacks it. Without rustup the toolchain is the user's own affair: the build
/// command itself will say what is missing.
fn add_target(root: &Path, progress: &mut dyn Write) -> anyhow::Result<()> {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).current_dir(root).output();
    let Ok(listed) = listed else { return Ok(()) };
    if String::from_utf8_lossy(&listed.stdout).lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    writeln!(progress, "adding the target {TARGET}")?;
    let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(root).output()?;
    if !added.status.success() {
        let said = String::from_utf8_lossy(&added.stderr);
        bail!("cannot add the target {TARGET}: {}\nadd it by hand: rustup target add {TARGET}", said.trim());
    }
    Ok(())
}

/// Checks that every component's file is there.
///
/// # Errors
/// Names each component that is not built, and the command that builds it.
pub fn check_built(application: &Application) -> anyhow::Result<()> {
    let missing: Vec<&Component> =
        application.components.iter().filter(|component| !component.source.is_file()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = missing.iter().map(|component| missing_line(component)).collect();
    let remedy = if missing.iter().any(|component| component.build.is_some()) {
        format!("build and start with: {BUILD_COMMAND}")
    } else {
        format!("correct `source` in {}", application.manifest.display())
    };
    bail!("{}\n{remedy}", lines.join("\n"))
}

fn missing_line(component: &Component) -> String {
    let Component { id, source, build, .. } = component;
    let source = source.display();
    match build {
        Some(_) => format!("component {id} is not built: there is no {source}"),
        None => format!("component {id} has no file {source}, and no [component.{id}.build] to make it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Given, parse};

    fn application(root: &Path, components: &str) -> Application {
        let text = format!("spin_manifest_version = 2\n[application]\nname = \"test\"\n[trigger]\n{components}");
        parse(&root.join("spin.toml"), &text, &Given::default()).unwrap()
    }

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("a4co-building-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    const TWO: &str = r#"
        [component.a]
        source = "a.wasm"
        build.command = ["echo once >> log", "touch a.wasm"]
        [component.b]
        source = "b.wasm"
        build.command = ["echo once >> log", "touch b.wasm"]
    "#;

    #[test]
    fn a_shared_command_runs_once_and_every_component_is_built() {
        let root = folder("shared");
        let application = application(&root, TWO);
        let refused = check_built(&application).unwrap_err().to_string();
        assert!(refused.contains("component a is not built") && refused.contains("a4co up --build"), "{refused}");
        let mut progress = Vec::new();
        build(&application, &mut progress).unwrap();
        check_built(&application).unwrap();
        assert_eq!(std::fs::read_to_string(root.join("log")).unwrap(), "once\n");
        let progress = String::from_utf8(progress).unwrap();
        assert!(progress.starts_with("building [1/3] a, b: echo once >> log\n"), "{progress}");
    }

    #[test]
    fn a_failing_command_shows_its_output_and_stops() {
        let root = folder("failing");
        let application = application(
            &root,
            "[component.a]\nsource = \"a.wasm\"\nbuild.command = [\"echo broken >&2; exit 3\", \"touch a.wasm\"]\n",
        );
        let mut progress = Vec::new();
        let error = build(&application, &mut progress).unwrap_err().to_string();
        assert!(error.starts_with("component a does not build: `echo broken >&2; exit 3` in "), "{error}");
        assert!(String::from_utf8(progress).unwrap().contains("a | broken\n"));
        assert!(!root.join("a.wasm").exists());
    }

    #[test]
    fn a_component_that_nothing_builds_is_told_apart() {
        let root = folder("nobuild");
        let application = application(&root, "[component.a]\nsource = \"typo.wasm\"\n");
        let refused = check_built(&application).unwrap_err().to_string();
        assert!(refused.contains("no [component.a.build]") && refused.contains("correct `source`"), "{refused}");
    }
}
