//! The program: lists the exhibits, and runs one.
//!
//! ```console
//! $ cargo run -p ropewalk-gallery
//! $ cargo run -p ropewalk-gallery -- edge_not_drained --broken
//! ```

use ropewalk_gallery::{EXHIBITS, Exhibit, Form, Result};
use std::env;
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (name, forms) = match arguments[..] {
        [] | ["list" | "LIST" | "--help"] => {
            list();
            return Ok(ExitCode::SUCCESS);
        }
        [name] | [name, "both" | "--both"] => (name, &Form::BOTH[..]),
        [name, "--broken"] => (name, &Form::BOTH[..1]),
        [name, "--cured"] => (name, &Form::BOTH[1..]),
        _ => return Ok(refuse("expected: NAME [--broken|--cured|both]")),
    };
    match name {
        "all" => EXHIBITS.iter().try_for_each(|exhibit| show(exhibit, forms))?,
        name => match Exhibit::named(name) {
            Some(exhibit) => show(exhibit, forms)?,
            None => return Ok(refuse(&format!("no exhibit is called '{name}'"))),
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn list() {
    println!("Famous faults of event loops, each broken and cured:\n");
    for exhibit in EXHIBITS {
        println!("  {:<23} {}", exhibit.name, exhibit.about);
    }
    println!("\nTry: cargo run -p ropewalk-gallery -- {}", EXHIBITS[0].name);
    println!("Add --broken or --cured for one form. 'all' in place of a name runs all.");
    println!("Each is one file: examples/gallery/src/exhibits/NAME.rs");
}

fn refuse(problem: &str) -> ExitCode {
    eprintln!("{problem}; without arguments the program lists the exhibits");
    ExitCode::FAILURE
}

fn show(exhibit: &Exhibit, forms: &[Form]) -> Result<()> {
    println!("{}: {}", exhibit.name, exhibit.about);
    println!("reported as {}", exhibit.issue);
    for form in forms {
        println!("\n{}:\n{}", form.name(), exhibit.run(*form)?);
    }
    println!();
    Ok(())
}
