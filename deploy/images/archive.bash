# Packs a folder into a container image as one tar file, in the form that `docker save` writes. No container tool is needed.
# Sourced by the scripts beside it. Two runs with the same packages give the same file, byte for byte.

set -euo pipefail
# The modes of what is made here must not depend on who makes it.
umask 022

say() { echo "${0##*/}: $*" >&2; }

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# The folder that an image is built in; gone at the end of the script.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# pack FOLDER NAME CONFIG OUT: FOLDER becomes the image's only layer; CONFIG is the `config` object of its configuration, in JSON.
pack() {
    local folder=$1 name=$2 config=$3 out=$4 stage diff_id id
    stage=$(mktemp -d -p "$root")
    pack_tar "$stage/layer.tar" "$folder" .
    diff_id=$(sha256sum <"$stage/layer.tar" | cut -d' ' -f1)
    printf '{"architecture":"%s","os":"linux","created":"1970-01-01T00:00:00Z","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$(dpkg --print-architecture)" "$config" "$diff_id" >"$stage/config.json"
    id=$(sha256sum <"$stage/config.json" | cut -d' ' -f1)
    mv "$stage/config.json" "$stage/$id.json"
    printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$id" "$name" >"$stage/manifest.json"
    mkdir -p "$(dirname "$out")"
    pack_tar "$out.part" "$stage" manifest.json "$id.json" layer.tar
    mv "$out.part" "$out"
    say "wrote $name to $out ($(($(stat -c %s "$out") / 1024)) KiB, id ${id:0:12})"
}

# pack_tar OUT FOLDER NAME...: a tar without anything that changes from run to run.
pack_tar() {
    local out=$1 folder=$2
    shift 2
    tar --create --file "$out" --directory "$folder" --format=gnu --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner "$@"
}

# busybox_into FOLDER: the static busybox with a link for each of its commands, and the few files that programs expect.
busybox_into() {
    local folder=$1 link
    "$here/../packages" busybox:busybox-static >&2
    if ! file_is_static /bin/busybox; then
        say "/bin/busybox is not the static one: replacing the package busybox by busybox-static"
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends busybox-static >&2
    fi
    mkdir -p "$folder"/{bin,dev,etc,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,var}
    install -m 755 /bin/busybox "$folder/bin/busybox"
    while read -r link; do
        [ "$link" = bin/busybox ] || ln -sf /bin/busybox "$folder/$link"
    done < <(/bin/busybox --list-full)
    chmod 1777 "$folder/tmp"
    chmod 700 "$folder/root"
    accounts_into "$folder"
}

# accounts_into FOLDER: root, nobody and www-data.
accounts_into() {
    mkdir -p "$1/etc"
    printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'www-data:x:33:33:www-data:/:/bin/false' 'nobody:x:65534:65534:nobody:/:/bin/false' >"$1/etc/passwd"
    printf '%s\n' 'root:x:0:' 'www-data:x:33:' 'nogroup:x:65534:' >"$1/etc/group"
}

# Whether a program needs no libraries.
file_is_static() { ! LC_ALL=C ldd "$1" >/dev/null 2>&1; }

# libraries_into PROGRAM FOLDER: what the dynamic linker would load, at the same places.
libraries_into() {
    local library
    for library in $(ldd "$1" | grep -o '/[^ ]*'); do
        install -D -m 755 "$(readlink -f "$library")" "$2$library"
    done
}

# out_or_usage ARGUMENTS...: the one argument, the file to write.
out_or_usage() {
    if [ $# -ne 1 ] || [[ $1 == -* ]]; then
        echo "usage: ${0##*/} FILE    writes the image archive to FILE; bring it in with: cluster image import FILE" >&2
        exit 2
    fi
    out=$1
}
