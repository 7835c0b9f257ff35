//! Compiles the `.proto` files without `protoc`, and makes the table of who may call what. A method without `allow` fails the build.

use std::fmt::Write as _;
use std::path::PathBuf;

use prost_reflect::{DescriptorPool, Value};

const FILES: [&str; 6] = ["options", "types", "control", "local", "node", "raft"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files: Vec<String> = FILES.iter().map(|file| format!("cluster/v1/{file}.proto")).collect();
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(&files)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("callers.rs"), callers(compiler.descriptor_pool())?)?;
    tonic_prost_build::configure().emit_rerun_if_changed(false).compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// The match from a method's path to its callers, as Rust source.
fn callers(pool: DescriptorPool) -> Result<String, Box<dyn std::error::Error>> {
    let allow = pool.get_extension_by_name("cluster.v1.allow").ok_or("options.proto has no `allow`")?;
    let mut source = String::from("&[\n");
    for service in pool.services() {
        for method in service.methods() {
            let options = method.options();
            let allowed = options.get_extension(&allow);
            let numbers: Vec<i32> = allowed.as_list().unwrap_or(&[]).iter().filter_map(Value::as_enum_number).collect();
            if numbers.is_empty() {
                return Err(format!("{} says nobody may call it: give it `option (allow)`", method.full_name()).into());
            }
            let callers: Vec<String> = numbers.iter().map(|number| caller(*number)).collect::<Result<_, _>>()?;
            writeln!(source, "    (\"/{}/{}\", &[{}]),", service.full_name(), method.name(), callers.join(", "))?;
        }
    }
    source.push_str("]\n");
    Ok(source)
}

fn caller(number: i32) -> Result<String, String> {
    let name = match number {
        1 => "Anyone",
        2 => "Worker",
        3 => "Manager",
        4 => "Operator",
        _ => return Err(format!("caller {number} is not known to build.rs")),
    };
    Ok(format!("CallerKind::{name}"))
}
