//! Kafka's own Java classes as a tool: fetched by Maven, compiled against, run.
//!
//! Everything fetched or built is under `target/java/` of the workspace, Maven's repository too:
//!
//! ```text
//! target/java/<name>/jars/      the jars of `Java::resolve(name, ..)`
//! target/java/classes/<name>/   what `Java::compile(name, ..)` made
//! target/java/repository/       Maven's downloads
//! ```

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Error, Result, anyhow, bail};

/// The folder `target/java` and the three programs that fill it: `mvn`, `javac`, `java`.
pub(crate) struct Java {
    folder: PathBuf,
}

impl Java {
    /// Takes the root of the workspace.
    pub(crate) fn new(root: &Path) -> Self {
        Self { folder: root.join("target/java") }
    }

    /// Kafka's clients and codecs, with a logger that is silent.
    pub(crate) fn clients(&self) -> Result<ClassPath> {
        self.resolve("clients", &CLIENTS)
    }

    /// Fetches the artifacts `group:artifact:version` with all they need at run time, once:
    /// when asked again for the same `name` and artifacts, it only lists the jars.
    pub(crate) fn resolve(&self, name: &str, artifacts: &[&str]) -> Result<ClassPath> {
        let folder = self.folder.join(name);
        let jars = folder.join("jars");
        let stamp = folder.join("resolved.txt");
        let wanted = artifacts.join("\n");
        if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
            recreate(&folder)?;
            let pom = folder.join("pom.xml");
            write(&pom, &pom_text(artifacts)?)?;
            let mut maven = Command::new("mvn");
            maven
                .args(["--quiet", "--batch-mode", "-Dstyle.color=never"])
                .arg(property("maven.repo.local", &self.folder.join("repository")))
                .arg("--file")
                .arg(&pom)
                .arg(COPY_DEPENDENCIES)
                .arg("-DincludeScope=runtime")
                .arg(property("outputDirectory", &jars));
            run(&mut maven, "fetch Kafka's Java classes")?;
            write(&stamp, &wanted)?;
        }
        ClassPath::of_jars(&jars)
    }

    /// Compiles every `.java` file of a folder; the result has the new classes first.
    pub(crate) fn compile(
        &self,
        name: &str,
        sources: &Path,
        class_path: &ClassPath,
    ) -> Result<ClassPath> {
        let classes = self.folder.join("classes").join(name);
        recreate(&classes)?;
        let mut compiler = Command::new("javac");
        compiler
            .args(["--release", RELEASE, "-encoding", "UTF-8"])
            .args(["-Xlint:all", "-Werror", "-d"])
            .arg(&classes)
            .arg("-classpath")
            .arg(class_path.argument()?)
            .args(files_ending_in(sources, "java")?);
        run(&mut compiler, "compile our Java sources")?;
        Ok(class_path.with_first(classes))
    }
}

/// Jars and folders of classes, in the order in which Java searches them.
pub(crate) struct ClassPath(Vec<PathBuf>);

impl ClassPath {
    fn of_jars(folder: &Path) -> Result<Self> {
        Ok(Self(files_ending_in(folder, "jar")?))
    }

    /// Java with these options, this class path and main class, to be given arguments, input and
    /// output.
    pub(crate) fn command(&self, options: &[&str], main_class: &str) -> Result<Command> {
        let mut command = Command::new("java");
        command.args(options).arg("-classpath").arg(self.argument()?).arg(main_class);
        Ok(command)
    }

    fn with_first(&self, classes: PathBuf) -> Self {
        let mut paths = vec![classes];
        paths.extend_from_slice(&self.0);
        Self(paths)
    }

    /// As Java's option `-classpath` takes it.
    pub(crate) fn argument(&self) -> Result<OsString> {
        std::env::join_paths(&self.0).context("a class path with a separator in a file name")
    }
}

/// Whether this machine has the programs that all this needs.
pub(crate) fn is_installed() -> bool {
    ["java", "javac", "mvn"].into_iter().all(is_on_path)
}

/// Whether this machine has the program.
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Runs to the end; `purpose` completes "… is needed to" when the program is missing or fails.
pub(crate) fn run(command: &mut Command, purpose: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("`{program}`, needed to {purpose}, failed ({status})"),
        Err(error) => Err(not_started(&program, error, purpose)),
    }
}

/// Why a program that is needed to do something did not start.
pub(crate) fn not_started(program: &str, error: io::Error, purpose: &str) -> Error {
    if error.kind() == ErrorKind::NotFound {
        anyhow!("`{program}` is not installed or not on the PATH; it is needed to {purpose}")
    } else {
        Error::new(error).context(format!("cannot start `{program}` to {purpose}"))
    }
}

/// A project that is nothing but its dependencies, so that Maven finds theirs too.
fn pom_text(artifacts: &[&str]) -> Result<String> {
    let mut dependencies = String::new();
    for artifact in artifacts {
        let parts: Vec<&str> = artifact.split(':').collect();
        let [group, artifact, version] = parts[..] else {
            bail!("`{artifact}` is not of the form group:artifact:version");
        };
        dependencies.push_str(&format!(
            "    <dependency>\n      \
             <groupId>{group}</groupId>\n      \
             <artifactId>{artifact}</artifactId>\n      \
             <version>{version}</version>\n    \
             </dependency>\n"
        ));
    }
    Ok(format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  \
         <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>local</groupId>\n  \
         <artifactId>dependencies</artifactId>\n  \
         <version>1</version>\n  \
         <packaging>pom</packaging>\n  \
         <dependencies>\n{dependencies}  </dependencies>\n\
         </project>\n"
    ))
}

fn property(name: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(format!("-D{name}="));
    argument.push(path);
    argument
}

fn files_ending_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {folder:?}"))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// An empty folder, whatever was there before.
pub(crate) fn recreate(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {folder:?}"));
        }
        _ => {}
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {folder:?}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {path:?}"))
}

/// Maven's own default version of this plugin is old and differs between versions of Maven.
const COPY_DEPENDENCIES: &str =
    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// Kafka's classes and codecs; the JSON library that its converters expect us to bring; a logger
/// that is silent.
const CLIENTS: [&str; 3] = [
    "org.apache.kafka:kafka-clients:4.4.0",
    "com.fasterxml.jackson.core:jackson-databind:2.21.2",
    "org.slf4j:slf4j-nop:1.7.36",
];

/// The Java our sources are written in; any newer one compiles and runs them too.
const RELEASE: &str = "17";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pom_names_every_artifact() {
        let text = pom_text(&["a.b:c:1.0", "d:e:2"]).unwrap();
        assert!(text.contains("<artifactId>c</artifactId>\n      <version>1.0</version>"));
        assert!(text.contains("<groupId>d</groupId>\n      <artifactId>e</artifactId>"));
    }

    #[test]
    fn artifact_without_version_is_refused() {
        let error = pom_text(&["a.b:c"]).unwrap_err();
        assert_eq!(error.to_string(), "`a.b:c` is not of the form group:artifact:version");
    }
}
