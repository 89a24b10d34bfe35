#!/bin/sh
# gcc builds lua with -j2 on two CPUs, ROUNDS times (10); every time the result has to be the same, and to work. Minutes, not seconds.
# The sources are those of the crate `lua-src`, fetched by cargo; the root is Debian's, built once. Both need the network then.
set -eu
here=$(cd -P -- "$(dirname -- "$0")/../.." && pwd)
rounds=${1:-10}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/fetch"
cat > "$work/fetch/Cargo.toml" <<'END'
[package]
name = "fetch"
version = "0.1.0"
edition = "2024"
[lib]
path = "lib.rs"
[dependencies]
lua-src = "=551.1.0"
END
: > "$work/fetch/lib.rs"
(cd "$work/fetch" && cargo vendor --quiet > /dev/null)
sources=$(echo "$work"/fetch/vendor/lua-src/lua-5.4.*)
cat > "$sources/main.c" <<'END'
#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"
#include <stdio.h>
int main(int count, char **words) {
    lua_State *state = luaL_newstate();
    luaL_openlibs(state);
    if (count > 1 && luaL_dostring(state, words[1])) return puts(lua_tostring(state, -1)), 1;
    lua_close(state);
    return 0;
}
END
cat > "$sources/Makefile" <<'END'
lua: $(sort $(patsubst %.c,%.o,$(wildcard *.c)))
	gcc -o $@ $^ -lm -ldl
%.o: %.c
	gcc -O1 -DLUA_USE_POSIX -c -o $@ $<
END
inside='cd /tmp && tar xf - && cd lua && for round in $(seq '$rounds'); do make -s -j2 && md5sum < lua &&
    ./lua "local s = 0 for i = 1, 100000 do s = s + i % 7 end print(s, _VERSION)"; rm -f *.o lua; done | sort | uniq -c'
mv "$sources" "$work/lua"
said=$(tar cf - -C "$work" lua | "$here/birgus" run --root debian:gawk,gcc,libc6-dev,make,python3,xz-utils --smp 2 --mem 3G -- bash -c "$inside")
echo "$said"
[ "$(echo "$said" | awk -v rounds="$rounds" '$1 == rounds' | wc -l)" = 2 ] || { echo "birgus: the builds differ" >&2; exit 1; }
