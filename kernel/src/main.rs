//! The image's root: names the function at which the start-up code hands over. Everything else is in the library.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(unsafe_code)]

#[cfg(target_os = "none")]
#[expect(unsafe_code, reason = "a symbol that the start-up code can find is an unsafe attribute")]
// SAFETY: no other crate of the image defines this name.
#[unsafe(no_mangle)]
fn birgus_main() -> fn(boot::Information) -> ! {
    kernel::main
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("birgus-kernel runs on a machine of its own: start it with `./birgus run`");
    std::process::exit(1);
}
