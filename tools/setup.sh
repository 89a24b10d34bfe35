# Sourced by ../birgus when the host tool must be built: a C linker, a Rust compiler, the tool itself.
# What the tool needs later (QEMU and so on) it sees to itself: `birgus doctor`.

say() { printf 'birgus: %s\n' "$*" >&2; }

# Runs a command as the superuser: directly, or by sudo after asking.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        if [ -t 0 ]; then
            printf 'birgus: run "sudo %s"? [Y/n] ' "$*" >/dev/tty
            read -r answer </dev/tty
            case $answer in '' | [Yy]*) ;; *) return 1 ;; esac
            sudo "$@"
        else
            sudo -n "$@"
        fi
    else
        return 1
    fi
}

# Installs packages by apt, in silence unless that fails; elsewhere names them.
install_packages() {
    if command -v apt-get >/dev/null 2>&1; then
        [ ! -t 2 ] || say "installing $*"
        log=$(apt_install "$@" 2>&1) && return 0
        # The lists may never have been fetched.
        log=$(as_root apt-get update -qq 2>&1 && apt_install "$@" 2>&1) && return 0
        printf '%s\n' "$log" | tail -n 20 >&2
    fi
    say "please install: $*"
    return 1
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
}

# A rustc of the version that rust-toolchain.toml pins, by whichever way this host has.
setup_toolchain() {
    version=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' "$1/rust-toolchain.toml")
    missing=
    command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
    if ! command -v cargo >/dev/null 2>&1 && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH=$HOME/.cargo/bin:$PATH
        export PATH
    fi
    if ! command -v cargo >/dev/null 2>&1 && ! command -v rustup >/dev/null 2>&1; then
        missing="$missing rustup"
    fi
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086 # a list of words
        install_packages $missing || {
            say "and, where there is no package rustup, Rust $version by rustup as its own site describes"
            exit 1
        }
    fi
    right_compiler "$1" "$version" && return 0
    if command -v rustup >/dev/null 2>&1; then
        [ ! -t 2 ] || say "installing Rust $version by rustup"
        rustup toolchain install "$version" --profile minimal --component rustfmt --component clippy --no-self-update \
            >/dev/null 2>&1 || same_under_another_name "$version"
    fi
    right_compiler "$1" "$version" || {
        say "Rust $version is needed, and rustup could not install it: rustup toolchain install $version"
        exit 1
    }
}

# Where rustup cannot fetch, the version may still be here as "stable": it gets its number as a second name.
same_under_another_name() {
    folder=${RUSTUP_HOME:-$HOME/.rustup}/toolchains
    for found in "$folder"/*/; do
        found=${found%/}
        case $("$found/bin/rustc" --version 2>/dev/null) in
        "rustc $1 "*)
            [ -e "$folder/$1-x86_64-unknown-linux-gnu" ] || ln -s "$found" "$folder/$1-x86_64-unknown-linux-gnu"
            return 0
            ;;
        esac
    done
    return 1
}

right_compiler() {
    case $(cd "$1" && rustc --version 2>/dev/null) in "rustc $2 "*) return 0 ;; *) return 1 ;; esac
}

# Builds the tool: with cargo's progress on a terminal, else in silence unless it fails.
build_tool() {
    if [ -t 2 ]; then
        say 'building the host tool (once)'
        (cd "$1" && cargo build --package birgus --profile tool --quiet)
    else
        log=$(cd "$1" && cargo build --package birgus --profile tool --quiet 2>&1) || {
            printf '%s\n' "$log" >&2
            say 'the host tool could not be built'
            exit 1
        }
    fi
    touch "$2"
}
