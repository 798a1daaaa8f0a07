//! The images that tests and the demo use, under the names that published ones would have.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::{Archive, Image, programs::Root, remembered, rust::static_program};
use crate::{debian, node::PAUSE, place::short_hash};

/// Raised when what is put into an image changes.
const EDITION: &str = "2";

/// The tiny userland, whose shell and applets serve as toys and in entrypoints.
pub fn busybox() -> Result<Archive> {
    from_packages("busybox", &["busybox-static"], |root| {
        let mut image = Image::named("docker.io/library/busybox:1.36").command(&["sh"]);
        shell(&mut image, root)?;
        image.layer.users(1000)?;
        Ok(image)
    })
}

/// What holds the namespaces of a pod open.
pub fn pause() -> Result<Archive> {
    from_packages("pause", &["busybox-static"], |root| {
        let mut image = Image::named(PAUSE)
            .entrypoint(&["/bin/busybox", "sleep", "infinity"])
            .user(65535);
        image
            .layer
            .file("/bin/busybox", 0o755, root.join("bin/busybox"))?;
        Ok(image)
    })
}

/// Debian's Postgres, with an entrypoint that understands the variables of the well-known image.
pub fn postgres() -> Result<Archive> {
    const PACKAGES: [&str; 3] = ["postgresql-15", "postgresql-client-15", "busybox-static"];
    from_packages("postgres", &PACKAGES, |folder| {
        let root = Root::open(folder)?;
        let mut image = Image::named("docker.io/library/postgres:15")
            .entrypoint(&["/usr/local/bin/docker-entrypoint.sh"])
            .command(&["postgres"])
            .user(999)
            .variable("PGDATA", "/var/lib/postgresql/data")
            .variable("LANG", "C.UTF-8");
        shell(&mut image, folder)?;
        image.layer.users(999)?;
        // The polite signal waits until every client has gone.
        image.stop_signal = "SIGINT".into();
        postgres_programs(&mut image, &root, folder)?;
        image.layer.tree(
            "/usr/share/postgresql/15",
            &root.path("/usr/share/postgresql/15"),
            &["/man/"],
        )?;
        image.layer.tree(
            "/usr/lib/locale/C.utf8",
            &root.path("/usr/lib/locale/C.utf8"),
            &[],
        )?;
        image.layer.tree(
            "/usr/share/zoneinfo",
            &root.path("/usr/share/zoneinfo"),
            &["/right/", "/posix/"],
        )?;
        for folder in [
            "/var/lib/postgresql",
            "/var/lib/postgresql/data",
            "/run/postgresql",
        ] {
            image.layer.folder(folder, 0o1777, 999)?;
        }
        image.layer.link("/var/run", "/run")?;
        image
            .layer
            .folder("/docker-entrypoint-initdb.d", 0o755, 0)?;
        image.layer.bytes(
            "/usr/local/bin/docker-entrypoint.sh",
            0o755,
            include_str!("postgres.sh"),
        )?;
        Ok(image)
    })
}

fn postgres_programs(image: &mut Image, root: &Root, folder: &Path) -> Result<()> {
    let home = "/usr/lib/postgresql/15";
    for entry in
        fs::read_dir(root.path(home).join("bin"))?.chain(fs::read_dir(root.path(home).join("lib"))?)
    {
        let path = entry?.path();
        let inside = format!("/{}", path.strip_prefix(folder)?.display());
        // Compiling queries takes a library larger than all the rest.
        let wanted =
            !inside.contains("llvm") && (inside.contains("/bin/") || inside.ends_with(".so"));
        if !wanted || is_script(&path) {
            continue;
        }
        root.add(&mut image.layer, &inside)?;
        if let Some(name) = inside.strip_prefix(&format!("{home}/bin/")) {
            image.layer.link(&format!("/usr/bin/{name}"), &inside)?;
        }
    }
    Ok(())
}

/// Debian's Redis.
pub fn redis() -> Result<Archive> {
    const PACKAGES: [&str; 3] = ["redis-server", "redis-tools", "busybox-static"];
    from_packages("redis", &PACKAGES, |folder| {
        let root = Root::open(folder)?;
        let mut image = Image::named("docker.io/library/redis:7")
            .command(&["redis-server", "--bind", "* -::*", "--protected-mode", "no"])
            .user(999);
        shell(&mut image, folder)?;
        image.layer.users(999)?;
        for program in [
            "redis-server",
            "redis-cli",
            "redis-check-rdb",
            "redis-check-aof",
        ] {
            root.add(&mut image.layer, &format!("/usr/bin/{program}"))?;
        }
        image.layer.folder("/data", 0o1777, 999)?;
        image.folder = "/data".into();
        Ok(image)
    })
}

/// Debian's MariaDB, with an entrypoint that understands the variables of the well-known image.
pub fn mariadb() -> Result<Archive> {
    const PACKAGES: [&str; 4] = [
        "mariadb-server-core",
        "mariadb-client-core",
        "mariadb-client",
        "busybox-static",
    ];
    from_packages("mariadb", &PACKAGES, |folder| {
        let root = Root::open(folder)?;
        let mut image = Image::named("docker.io/library/mariadb:10.11")
            .entrypoint(&["/usr/local/bin/docker-entrypoint.sh"])
            .command(&["mariadbd"])
            .user(999);
        shell(&mut image, folder)?;
        image.layer.users(999)?;
        for program in [
            "sbin/mariadbd",
            "bin/mariadb",
            "bin/mariadb-admin",
            "bin/mariadb-dump",
        ] {
            root.add(&mut image.layer, &format!("/usr/{program}"))?;
        }
        let words = "/usr/share/mysql";
        image.layer.tree(words, &root.path(words), &[])?;
        for folder in ["/var/lib/mysql", "/run/mysqld"] {
            image.layer.folder(folder, 0o1777, 999)?;
        }
        image.layer.bytes(
            "/usr/local/bin/docker-entrypoint.sh",
            0o755,
            include_str!("mariadb.sh"),
        )?;
        Ok(image)
    })
}

/// Debian's Git, whose own server answers at `http://HOST:8080/cgi-bin/git/NAME/.git`; repositories stand in /srv/git.
pub fn git() -> Result<Archive> {
    from_packages("git", &["git", "busybox-static"], |folder| {
        let root = Root::open(folder)?;
        let mut image = Image::named("docker.io/library/git:2")
            .command(&["httpd", "-f", "-p", "8080", "-h", "/srv/www"])
            .user(1000)
            .variable("HOME", "/tmp");
        shell(&mut image, folder)?;
        image.layer.users(1000)?;
        for program in ["/usr/bin/git", "/usr/lib/git-core/git-http-backend"] {
            root.add(&mut image.layer, program)?;
        }
        image.layer.bytes(
            "/srv/www/cgi-bin/git",
            0o755,
            "#!/bin/sh\nexport GIT_PROJECT_ROOT=/srv/git GIT_HTTP_EXPORT_ALL=1\n\
             exec /usr/lib/git-core/git-http-backend\n",
        )?;
        image.layer.folder("/srv/git", 0o1777, 1000)?;
        Ok(image)
    })
}

/// The application of the demo in one of its versions: `1.4`, `1.5`, or `broken`, whose pages never come.
pub fn shop(version: &str) -> Result<Archive> {
    let program = static_program("shop", "shop")?;
    let image = Image::of_program(format!("docker.io/acme/shop:{version}"), program)?;
    image
        .variable("SHOP_VERSION", version)
        .command(&["web"])
        .archive()
}

/// The product, from its static program.
pub fn product(program: &Path) -> Result<Archive> {
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let tag = short_hash(&[&bytes], 12);
    Image::of_program(format!("localhost/roadstead:{tag}"), program.to_owned())?.archive()
}

/// All images under the names that `devcluster load` takes.
pub fn by_name(name: &str) -> Result<Archive> {
    match name.split_once(':').unwrap_or((name, "1.4")) {
        ("busybox", _) => busybox(),
        ("postgres", _) => postgres(),
        ("redis", _) => redis(),
        ("mariadb", _) => mariadb(),
        ("git", _) => git(),
        ("shop", version) => shop(version),
        ("roadstead", _) => product(&static_program("roadstead", "roadstead")?),
        _ => product(Path::new(name)).with_context(|| {
            format!("{name:?} is none of busybox, postgres, redis, mariadb, git, shop:VERSION, roadstead, nor the file of a static program")
        }),
    }
}

fn from_packages(
    name: &str,
    packages: &[&str],
    make: impl FnOnce(&Path) -> Result<Image>,
) -> Result<Archive> {
    let folder = debian::unpacked(packages)?;
    let parts = [
        EDITION,
        include_str!("catalogue.rs"),
        include_str!("postgres.sh"),
        include_str!("mariadb.sh"),
        include_str!("layer.rs"),
    ];
    let mut parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    parts.push(folder.as_os_str().as_encoded_bytes());
    remembered(&format!("{name}-{}", short_hash(&parts, 12)), || {
        make(&folder)
    })
}

fn shell(image: &mut Image, root: &Path) -> Result<()> {
    let busybox = root.join("bin/busybox");
    image.layer.file("/bin/busybox", 0o755, &busybox)?;
    let applets = crate::run::run(&busybox, ["--list"])?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        image
            .layer
            .link(&format!("/bin/{applet}"), "/bin/busybox")?;
    }
    Ok(())
}

fn is_script(file: &Path) -> bool {
    fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"#!"))
}
