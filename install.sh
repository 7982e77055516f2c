#!/bin/sh
# Install netfail-hooks on this machine, show it, or remove it. See --help.
set -eu
umask 022

usage() {
    cat <<'END'
usage: ./install.sh [--prefix DIR] [--wheels DIR] [OPTION OF 'netfail-hooks install']...
       ./install.sh --demo [OPTION OF 'netfail-hooks demo']...
       ./install.sh --uninstall [--prefix DIR] [OPTION OF 'netfail-hooks uninstall']...

Puts netfail-hooks from this checkout into a virtual environment of its own below
/usr/local/lib/netfail-hooks, the command 'netfail-hooks' beside it, and what the system lacks
(networkd-dispatcher, iproute2, Python's venv) in place through apt-get or pacman. Then it runs
'netfail-hooks install' with the other arguments.

  --demo         show failovers in a throw-away network; changes nothing outside this checkout,
                 where .demo holds what it needs, as for --dry-run, and what it recorded
  --uninstall    put the network back as it was and remove all this made, .demo included, but no
                 package
  --prefix DIR   instead of /usr/local
  --wheels DIR   take Python packages from DIR alone, without a network; fill it elsewhere with
                 pip download --dest DIR . 'setuptools>=68'
  --root DIR     write the machine's files below DIR, and leave this machine as it is
  --dry-run      print what would be done
  --help         print this

examples:
  ./install.sh --demo
  ./install.sh --primary eth0 --backup wlan0 --dry-run
  ./install.sh --primary eth0 --backup wlan0
  ./install.sh --primary eth0 --backup wlan0 --dhcp --yes

exit status: 0 done, 1 something could not be done, 2 wrong use, 3 not permitted
END
}

say() { echo "install.sh: $*" >&2; }

fail() { # STATUS TEXT...
    status=$1
    shift
    say "$*"
    exit "$status"
}

# --- Python -----------------------------------------------------------------------------------

find_python() { # the distribution's own first: the hooks will run with it
    for candidate in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        python=$("$candidate" -Ic '
import sys
if sys.version_info >= (3, 11): print(sys.executable)' 2>/dev/null) || continue
        [ -z "$python" ] || return 0
    done
    return 1
}

need_python() {
    find_python || fail 1 "no Python 3.11 or newer here; install python3 and try again"
}

has_venv() { "$python" -Ic 'import ensurepip, venv' 2>/dev/null; }

check_arguments() { # COMMAND ARGUMENT...: refuse wrong ones before anything is changed
    "$python" -IBS - "$here" "$@" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from netfail_hooks.cli import parser
from netfail_hooks.errors import Problem
try:
    parser(filled=(sys.argv[2],)).parse_args(sys.argv[2:])
except Problem as problem:
    print(f"install.sh: {problem}", file=sys.stderr)
    sys.exit(problem.status)
END
}

bundled_pip() { # print the wheel that ensurepip has; Debian's is not beside it
    "$python" -Ic '
import ensurepip, glob, os
places = (os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), "/usr/share/python-wheels")
print(next(f for place in places for f in sorted(glob.glob(place + "/pip-*.whl"))))' 2>/dev/null
}

fetch_pip() { # FILE: for a Python without ensurepip, as Debian has it without python3-venv
    "$python" -I - "$1" <<'END'
import hashlib, json, sys
from urllib.parse import urljoin
from urllib.request import urlopen

def get(url):
    with urlopen(url, timeout=60) as answer:
        return answer.read()

try:
    index = "https://pypi.org/pypi/pip/json"
    wheel = next(f for f in json.loads(get(index))["urls"] if f["packagetype"] == "bdist_wheel")
    data = get(urljoin(index, wheel["url"]))
except OSError as error:
    sys.exit(f"pypi.org: {error}")
if hashlib.sha256(data).hexdigest() != wheel["digests"]["sha256"]:
    sys.exit("pypi.org: damaged on the way")
with open(sys.argv[1], "wb") as file:
    file.write(data)
END
}

make_venv() { # DIR WHAT...: a new virtual environment with these packages in it, and no pip
    venv=$1
    shift
    rm -rf "$venv"
    "$python" -m venv --without-pip "$venv"
    # pip runs from its wheel: to install it first and remove it after takes as long as all else.
    pip=$venv/pip.whl
    cp "$(bundled_pip)" "$pip" 2>/dev/null || cp "$wheels"/pip-*.whl "$pip" 2>/dev/null ||
        fetch_pip "$pip" || fail 1 "cannot fetch pip from pypi.org; install python3-venv, or see --wheels"
    if [ -n "$wheels" ]; then
        set -- --no-index --find-links "$wheels" "$@"
    fi
    PYTHONPATH=$pip "$venv/bin/python" -m pip install --quiet --no-cache-dir \
        --disable-pip-version-check --no-input "$@" ||
        fail 1 "pip could not install the Python packages; look above, or see --wheels"
    rm -f "$pip"
}

site_packages() { # DIR: where a virtual environment there has its packages
    "$python" -Ic '
import os, sys, sysconfig
base = os.path.realpath(sys.argv[1])
print(sysconfig.get_path("purelib", "venv", {"base": base}))' "$1"
}

dependencies() { # one a line, from pyproject.toml
    "$python" -Ic '
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    print("\n".join(tomllib.load(file)["project"]["dependencies"]))' "$here/pyproject.toml"
}

# --- the demo ---------------------------------------------------------------------------------

# From the checkout as it is; only the libraries go into an environment, in the checkout.
prepare_here() {
    stamp=$("$python" -VV && dependencies)
    [ "$(cat "$here/.demo/stamp" 2>/dev/null)" != "$stamp" ] || return 0
    if ! mkdir -p "$here/.demo" 2>/dev/null || ! [ -w "$here/.demo" ]; then
        fail 3 "cannot write $here/.demo; use a checkout of your own"
    fi
    say "fetching the Python packages into $here/.demo"
    (
        IFS='
'
        set -f
        # shellcheck disable=SC2046 # one requirement a line
        make_venv "$here/.demo" $(dependencies)
    )
    echo "$stamp" >"$here/.demo/stamp"
    # With sudo: whoever has the checkout must be able to delete it.
    [ "$(id -u)" -ne 0 ] || chown -hR --reference="$here" "$here/.demo"
}

run_here() { # ARGUMENT...: netfail-hooks from the checkout
    export PYTHONPATH="$here"
    exec "$here/.demo/bin/python" -m netfail_hooks "$@"
}

demo() {
    need_python
    check_arguments demo "$@"
    for program in ip unshare; do
        command -v "$program" >/dev/null ||
            fail 1 "the demo needs '$program'; install iproute2 and util-linux, and try again"
    done
    prepare_here
    # The next steps, where there is no command yet; the recording is kept in the checkout.
    export NETFAIL_HOOKS_INSTALL='sudo ./install.sh'
    export NETFAIL_HOOKS_COMMAND="PYTHONPATH='$here' '$here/.demo/bin/python' -m netfail_hooks"
    export XDG_STATE_HOME="$here/.demo/state"
    run_here demo "$@"
}

# --- the machine ------------------------------------------------------------------------------

refuse_unfit_machine() {
    [ "$(id -u)" -eq 0 ] || fail 3 "only root can install; use sudo, or see --demo"
    if ! [ -x /usr/lib/systemd/systemd-networkd ] && ! [ -x /lib/systemd/systemd-networkd ]; then
        fail 1 "this machine has no systemd-networkd; netfail-hooks works with no other"
    fi
    [ -d /run/systemd/system ] || return 0 # in a chroot or an image: nothing runs
    if systemctl --quiet is-active systemd-networkd; then
        return 0
    fi
    for other in NetworkManager connman dhcpcd networking netctl; do
        if systemctl --quiet is-active "$other"; then
            fail 1 "$other runs this machine's network, not systemd-networkd;" \
                "move to that first, README tells how"
        fi
    done
    say "systemd-networkd is not running; after this: systemctl enable --now systemd-networkd"
}

missing_packages() {
    command -v networkd-dispatcher >/dev/null || echo networkd-dispatcher
    command -v ip >/dev/null || echo iproute2
    if command -v apt-get >/dev/null; then
        find_python || echo python3
        find_python && has_venv || echo python3-venv
    else
        find_python || echo python
    fi
}

install_packages() {
    packages=$(missing_packages | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    if [ -n "$dry_run" ]; then
        say "would install $packages"
        return 0
    fi
    say "installing $packages"
    # shellcheck disable=SC2086 # a list of words
    if command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq </dev/null || say "apt-get update failed; trying with its old lists"
        apt-get install -y -qq --no-install-recommends $packages </dev/null
    elif command -v pacman >/dev/null; then
        pacman -S --noconfirm --needed $packages </dev/null
    else
        false
    fi || fail 1 "not installed: $packages; install them by hand and try again"
}

enable_dispatcher() { # Debian's package does it, Arch's does not; 'install' then starts it
    systemctl --quiet is-enabled networkd-dispatcher 2>/dev/null ||
        systemctl --quiet enable networkd-dispatcher ||
        fail 1 "cannot enable networkd-dispatcher; see 'systemctl status networkd-dispatcher'"
}

# --- the files below the prefix ---------------------------------------------------------------

note() { # PATH: remember what --uninstall shall remove
    grep -Fqx -- "$1" "$lib/made" 2>/dev/null || echo "$1" >>"$lib/made"
}

make_directory() { # PATH
    [ ! -d "$1" ] || return 0
    make_directory "$(dirname "$1")"
    mkdir "$1" || fail 3 "cannot write below $prefix"
    made="$made$1
"
}

put() { # PATH: standard input as that file
    make_directory "${1%/*}"
    cat >"$1.new"
    mv -f "$1.new" "$1"
    note "$1"
}

install_files() {
    link=$prefix/bin/netfail-hooks
    [ ! -e "$link" ] || [ "$(readlink "$link")" = "$lib/venv/bin/netfail-hooks" ] ||
        fail 1 "$link is somebody else's; move it away and try again"
    made=
    make_directory "$lib"
    install_venv
    make_directory "$prefix/bin"
    ln -sfn "$lib/venv/bin/netfail-hooks" "$link"
    note "$link"
    share=$prefix/share
    put "$share/man/man8/netfail-hooks.8" <"$here/man/netfail-hooks.8"
    completion bash "$share/bash-completion/completions/netfail-hooks"
    completion zsh "$share/zsh/site-functions/_netfail-hooks"
    completion fish "$share/fish/vendor_completions.d/netfail-hooks.fish"
    printf %s "$made" | while read -r path; do note "$path"; done
}

completion() { # SHELL PATH
    text=$("$link" completion "$1")
    put "$2" <<END
$text
END
}

# Made aside and renamed: if that fails, the one there goes on working, and so do the hooks.
install_venv() {
    stamp=$(
        "$python" -VV
        cd "$here"
        {
            cat pyproject.toml setup.py hooks/routable
            find netfail_hooks -name '*.py' | LC_ALL=C sort | xargs cat
        } | cksum
    )
    [ "$(cat "$lib/venv/stamp" 2>/dev/null)" != "$stamp" ] || return 0
    say "making $lib/venv"
    sources=$(mktemp -d)
    trap 'rm -rf "$sources" "$lib/venv.new" "$lib/venv.old"' EXIT
    # A copy, for setuptools leaves a build directory behind where it builds.
    (cd "$here" && cp -R pyproject.toml setup.py README.md LICENSE netfail_hooks hooks man "$sources")
    make_venv "$lib/venv.new" "$sources"
    script=$lib/venv.new/bin/netfail-hooks
    sed "1s|.*|#!$lib/venv/bin/python -I|" "$script" >"$script.new"
    chmod 755 "$script.new"
    mv -f "$script.new" "$script"
    echo "$stamp" >"$lib/venv.new/stamp"
    [ ! -e "$lib/venv" ] || mv "$lib/venv" "$lib/venv.old"
    mv "$lib/venv.new" "$lib/venv"
}

do_install() {
    if [ -z "$root" ]; then
        refuse_unfit_machine
        install_packages
    fi
    need_python
    check_arguments install "$@"
    if [ -n "$dry_run" ]; then
        say "would put the command, its environment and its man page below $prefix"
        prepare_here
        export PYTHONDONTWRITEBYTECODE=1 # nor may root's files be left among the sources
        NETFAIL_HOOKS_PACKAGE=$(site_packages "$lib/venv")
        export NETFAIL_HOOKS_PACKAGE # what is shown runs from there, not from the checkout
        run_here install "$@"
    fi
    install_files
    [ -n "$root" ] || enable_dispatcher
    rm -rf "${sources:-}" "$lib/venv.old" # exec runs no trap
    exec "$link" install "$@"
}

do_uninstall() {
    [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail 3 "only root can uninstall; use sudo"
    [ -d "$lib" ] || fail 1 "nothing of netfail-hooks below $prefix; was it another --prefix?"
    if [ -x "$lib/venv/bin/netfail-hooks" ]; then
        "$lib/venv/bin/netfail-hooks" uninstall "$@"
    fi
    [ -z "$dry_run" ] || exit 0
    rm -rf "$lib/venv" "$lib/venv.new" "$lib/venv.old"
    paths=$(LC_ALL=C sort -r "$lib/made") # what lies in a directory before the directory
    rm -f "$lib/made"
    printf '%s\n' "$paths" | while read -r path; do
        if [ -d "$path" ] && [ ! -L "$path" ]; then
            rmdir "$path" 2>/dev/null || true # others have put something there
        else
            rm -f "$path"
        fi
    done
    [ ! -d "$lib" ] || rmdir "$lib"
    rm -rf "$here/.demo" || say "$here/.demo stays"
    say "removed; packages such as networkd-dispatcher stay"
}

# --- the command line -------------------------------------------------------------------------

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
task=install prefix=/usr/local wheels='' root='' dry_run=''
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
PATH=$PATH:/usr/sbin:/sbin
export PIP_ROOT_USER_ACTION=ignore
trap 'exit 130' INT
trap 'exit 143' TERM

left=$# # those that are not ours go to the end of the list, for the command
while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    case $word in
    --help | -h) usage && exit 0 ;;
    --demo) task=demo ;;
    --uninstall) task=uninstall ;;
    --dry-run) dry_run=1 && set -- "$@" "$word" ;;
    --prefix=* | --wheels=* | --root=*)
        set -- "${word%%=*}" "${word#*=}" "$@"
        left=$((left + 2))
        ;;
    --prefix | --wheels | --root)
        [ "$left" -gt 0 ] || fail 2 "$word needs a directory; see --help"
        case $1 in
        /*) directory=$1 ;;
        *) directory=$PWD/$1 ;;
        esac
        shift
        left=$((left - 1))
        case $word in
        --prefix) prefix=$directory ;;
        --wheels) wheels=$directory ;;
        --root) root=$directory && set -- "$@" --root "$root" ;;
        esac
        ;;
    *) set -- "$@" "$word" ;;
    esac
done
lib=$prefix/lib/netfail-hooks
[ -z "$wheels" ] || [ -d "$wheels" ] || fail 2 "$wheels is no directory; see --help"

case $task in
demo) demo "$@" ;;
install) do_install "$@" ;;
uninstall) do_uninstall "$@" ;;
esac
