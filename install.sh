#!/bin/sh
# Install netfail-hooks on this machine, show it, or remove it. See --help.
set -eu
umask 022

usage() {
    cat <<'END'
usage: ./install.sh [--prefix DIR] [--wheels DIR] [OPTION OF 'netfail-hooks install']...
       ./install.sh --demo [OPTION OF 'netfail-hooks demo']...
       ./install.sh --uninstall [--prefix DIR] [OPTION OF 'netfail-hooks uninstall']...

Puts netfail-hooks from this checkout and four Python libraries into a directory of their own below
/usr/local/lib/netfail-hooks, the command 'netfail-hooks' beside it, and what the system lacks
(networkd-dispatcher but for --without-dispatcher, iproute2, Python's venv) in place through apt-get
or pacman. Then it runs 'netfail-hooks install' with the other arguments. If that fails, what this
made goes again. The options of the commands: man ./man/netfail-hooks.8

  --demo         show failovers in a throw-away network; changes nothing outside this checkout,
                 where .demo holds what it needs, and a --dry-run that amends a config, and what
                 it recorded
  --uninstall    put the network back as it was and remove all this made, .demo included, but no
                 package: those that it installed are told; where there is only .demo, anybody may
  --prefix DIR   instead of /usr/local
  --wheels DIR   take the Python libraries from DIR alone, without a network; fill it elsewhere with
                 pip download --dest DIR --requirement packaging/requirements.txt
  --root DIR     write the machine's files below DIR, and leave this machine as it is
  --dry-run      print what would be done; takes root, too, who alone may read what is there
  --help         print this; after --demo, the options of the demo

examples:
  ./install.sh --demo
  sudo ./install.sh --primary eth0 --backup wlan0 --dry-run
  sudo ./install.sh --primary eth0 --backup wlan0
  sudo ./install.sh --primary eth0 --backup wlan0 --dhcp --yes
  sudo ./install.sh --config fleet.toml --yes

The libraries are those of packaging/requirements.txt, byte for byte, whoever serves them: pip asks
where /etc/pip.conf says, by https_proxy and its like. No other variable counts, but for PATH (root's
is the system's own), what language and terminal you have, and NO_COLOR. A checkout that others than
root and the caller of sudo can change is refused.

exit status: 0 done, 1 something could not be done, 2 wrong use, 3 not permitted, 75 this machine
is too busy or too slow for the demo just now
END
}

say() { echo "install.sh: $*" >&2; }

begin_step() { # TEXT...: say it, and on a terminal count the seconds until end_step
    say "$*"
    [ -t 2 ] || return 0
    (
        seconds=0
        while sleep 1 && kill -0 $$ 2>/dev/null; do
            seconds=$((seconds + 1))
            # What others print meanwhile begins at the line's begin.
            [ $seconds -lt 2 ] || printf '%s s\r' "$seconds" >&2
        done
    ) 9<&- &
    counter=$!
}

end_step() {
    [ -n "$counter" ] || return 0
    kill -KILL "$counter" 2>/dev/null || : # it has our trap for TERM until it has begun
    wait "$counter" 2>/dev/null || :
    counter=
    printf '\r\033[K' >&2
}

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
if sys.version_info >= (3, 11): print(sys._base_executable)' 2>/dev/null) || continue
        [ -z "$python" ] || return 0
    done
    return 1
}

need_python() {
    refuse_old_release
    find_python || fail 1 "no Python 3.11 or newer here; $(how_to_get python3), then try again"
}

refuse_old_release() { # one whose own Python is too old: another would come and go without the hooks
    ! find_python && command -v apt-cache >/dev/null || return 0
    offered=$(apt-cache show --no-all-versions python3 2>/dev/null | sed -n 's/^Version: //p')
    case $offered in
        2.* | 3.[0-9].* | 3.10.*)
            # shellcheck source=/dev/null
            release=$(. /etc/os-release && echo "$PRETTY_NAME") || release="this release"
            fail 1 "$release has Python $(echo "$offered" | cut -d. -f1,2), and this takes 3.11 or newer;" \
                "upgrade to Debian 12, Raspberry Pi OS Bookworm, Ubuntu 24.04 or newer first"
            ;;
    esac
}

how_to_get() { # PACKAGE...: print what a person can type
    if command -v apt-get >/dev/null; then
        echo "sudo apt install $*"
    else
        echo "install $*"
    fi
}

has_package() { # PACKAGE: tell whether it is there, as the system knows it
    if command -v dpkg-query >/dev/null; then
        [ "$(dpkg-query -Wf '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
    else
        pacman -Q "$1" >/dev/null 2>&1
    fi
}

run_from() { # DIRECTORIES ARGUMENT...: netfail-hooks from there, with nothing of Python's own sites
    "$python" -IBSc '
import sys
sys.path[:0] = sys.argv.pop(1).split(":")
from netfail_hooks.cli import entry
sys.exit(entry())' "$@"
}

check_arguments() { # COMMAND ARGUMENT...: refuse wrong ones before anything is changed
    # Where something is installed there may be nothing to ask about.
    asks=1
    if [ "$1" != install ] || [ -e "$root$manifest" ] || [ "$(id -u)" -ne 0 ] || { [ -t 0 ] && [ -t 1 ]; }; then
        asks=''
    fi
    "$python" -IBS - "$here" "$asks" "$@" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from netfail_hooks.cli import parse
from netfail_hooks.errors import Misuse, Problem
OURS = ("--demo", "--uninstall", "--prefix", "--wheels", "--root", "--dry-run", "--help")
try:
    asked = parse(sys.argv[3:], sys.argv[3], beside=OURS)
    if getattr(asked, "config", None) is not None:
        from netfail_hooks.install.config import read_ready
        if asked.config == "-":
            raise Misuse("--config -: this reads it more than once", hint="name a file")
        read_ready(asked.config)
    if sys.argv[2] and not (asked.yes or asked.dry_run):
        raise Misuse("nobody to ask whether to go on", hint="add --yes, or --dry-run to look")
except Problem as problem:
    before, see, _ = problem.hint.lower().partition("see 'netfail-hooks")
    if see:  # which need not be there
        see = "See" if before else "see"
        problem.hint = f"{problem.hint[:len(before)]}{see} './install.sh --help'"
    print(f"install.sh: {problem}", file=sys.stderr)
    sys.exit(problem.status)
END
}

check_machine() { # ARGUMENT...: refuse what 'install' would, before minutes of fetching and making
    # To amend a config takes one of the libraries, and so may a ready one.
    [ -z "$ready" ] && [ ! -e "$root/etc/netfail-hooks/config.toml" ] || return 0
    export NETFAIL_HOOKS_PACKAGE="$lib/packages" # there it will be; it counts in a dry run alone
    run_from "$here" install "$@" --dry-run --json >/dev/null || exit
}

leaves_out_dispatcher() { # ARGUMENT...: tell whether they, their config or the one there say so
    "$python" -IBS - "$here" "$@" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from netfail_hooks.cli import parser
from netfail_hooks.config.file import read
from netfail_hooks.errors import Problem
given = parser(filled=("install",)).parse_args(["install", *sys.argv[2:]])
asked = given.dispatcher
if asked is None:
    try:
        asked = read(given.config or "/etc/netfail-hooks/config.toml").dispatcher
    except Problem:
        asked = True
sys.exit(1 if asked else 0)
END
}

# What root runs, nobody may change but root and who became root by sudo. A sticky directory above
# is none of theirs (/tmp), nor is a group that has nobody else in it (a umask of 002).
refuse_unsafe_checkout() {
    [ "$(id -u)" -eq 0 ] || return 0
    "$python" -IBS - "$here" ${wheels:+"$wheels"} <<'END'
import grp, os, pwd, stat, sys

RUN = ("install.sh", "netfail_hooks", "hooks", "man", "packaging", ".demo")
caller = os.environ.get("SUDO_UID", "")
trusted = {0, int(caller) if caller.isdecimal() else 0}

def is_shared(gid, uid):
    try:
        members = set(grp.getgrgid(gid).gr_mem) - {pwd.getpwuid(uid).pw_name}
    except KeyError:
        return True
    return bool(members) or {p.pw_uid for p in pwd.getpwall() if p.pw_gid == gid} != {uid}

def is_theirs(path, above=False):
    about = os.lstat(path)
    if about.st_uid not in trusted:
        return True
    if stat.S_ISLNK(about.st_mode) or above and about.st_mode & stat.S_ISVTX:
        return False
    return bool(
        about.st_mode & 0o002 or about.st_mode & 0o020 and is_shared(about.st_gid, about.st_uid)
    )

def places(top, names):
    for name in names:
        yield os.path.join(top, name)
        for directory, inside, files in os.walk(os.path.join(top, name)):
            yield from (os.path.join(directory, each) for each in inside + files)

for top in dict.fromkeys(map(os.path.realpath, sys.argv[1:])):
    names = RUN if top == os.path.realpath(sys.argv[1]) else os.listdir(top)
    found = [path for path in (top, *places(top, names)) if os.path.lexists(path) and is_theirs(path)]
    above = os.path.dirname(top)
    while above != "/":
        found += [above] if is_theirs(above, above=True) else []
        above = os.path.dirname(above)
    if found:
        print(
            f"install.sh: {ascii(found[0])[1:-1]}: others can change what root is to run;"
            f" make it root's with chown -R and chmod -R go-w, or take a copy of your own",
            file=sys.stderr,
        )
        sys.exit(3)
END
}

bundled_pip() { # print the wheel that ensurepip has; Debian's is not beside it
    "$python" -Ic '
import ensurepip, glob, os
places = (os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), "/usr/share/python-wheels")
print(next(f for place in places for f in sorted(glob.glob(place + "/pip-*.whl"))))' 2>/dev/null
}

need_pip() { # before anything is said to be fetched, or made
    pip=$(bundled_pip) || fail 1 "this Python has no pip; $(how_to_get python3-venv), then try again"
}

# The libraries are the same for each Python 3, so their directory outlives an upgrade of it, as no
# virtual environment does.
fetch_libraries() { # DIR: those of the lock file into a new directory DIR/packages
    target=$1
    set --
    [ -z "$wheels" ] || set -- --no-index --find-links "$wheels"
    mkdir "$target/tmp"
    # --isolated: neither PIP_* nor files of the user's own, only /etc/pip.conf (pip's manual).
    TMPDIR=$target/tmp "$python" -I "$pip/pip" --isolated install --quiet --no-cache-dir --no-input \
        --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-user \
        --require-hashes --requirement "$here/packaging/requirements.txt" \
        --target "$target/packages" "$@" ||
        fail 1 "pip could not install the Python libraries; look above, or see --wheels"
    rm -rf "$target/packages/bin" # pyroute2's own commands
}

# --- the demo ---------------------------------------------------------------------------------

# From the checkout as it is; only the libraries go into a directory, in the checkout.
prepare_here() {
    stamp=$("$python" -VV && cat "$here/packaging/requirements.txt")
    [ "$(cat "$here/.demo/packages/stamp" 2>/dev/null)" != "$stamp" ] || return 0
    need_pip
    if ! mkdir -p "$here/.demo" 2>/dev/null || ! [ -w "$here/.demo" ]; then
        fail 3 "cannot write $here/.demo; use a checkout of your own"
    fi
    begin_step "fetching the Python libraries into $here/.demo"
    begin_aside "$here/.demo"
    fetch_libraries "$aside"
    end_step
    echo "$stamp" >"$aside/packages/stamp"
    put_in_place packages
    # With sudo: whoever has the checkout must be able to delete it.
    [ "$(id -u)" -ne 0 ] || chown -hR --reference="$here" "$here/.demo"
}

run_here() { # ARGUMENT...: netfail-hooks from the checkout
    export PYTHONPATH="$here:$libraries"
    exec "$python" -Psm netfail_hooks "$@"
}

demo() {
    need_python
    refuse_unsafe_checkout
    check_arguments demo "$@"
    for program in ip unshare; do
        command -v "$program" >/dev/null ||
            fail 1 "the demo needs '$program'; $(how_to_get iproute2 util-linux), then try again"
    done
    prepare_here
    # The next steps, where there is no command yet; the recording is kept in the checkout.
    export NETFAIL_HOOKS_INSTALL='sudo ./install.sh'
    export NETFAIL_HOOKS_COMMAND="PYTHONPATH='$here:$here/.demo/packages' $python -Psm netfail_hooks"
    export XDG_STATE_HOME="$here/.demo/state"
    run_here demo "$@"
}

# --- the machine ------------------------------------------------------------------------------

refuse_unfit_machine() {
    [ "$(id -u)" -eq 0 ] ||
        fail 3 "only root can install, or read all that a --dry-run shows; use sudo, or see --demo"
    if ! [ -x /usr/lib/systemd/systemd-networkd ] && ! [ -x /lib/systemd/systemd-networkd ]; then
        fail 1 "this machine has no systemd-networkd; netfail-hooks works with no other; install it and try again"
    fi
    [ -d /run/systemd/system ] || return 0 # in a chroot or an image: nothing runs
    ! systemctl --quiet is-active systemd-networkd || return 0
    if runs NetworkManager; then # 'install' asks it for the uplinks, and for nothing else
        return 0
    fi
    for other in connman netctl wicked; do
        ! runs "$other" || fail 1 "$other runs this machine's network, and netfail-hooks cannot" \
            "take just the uplinks from it; move them to NetworkManager or systemd-networkd first"
    done
    if runs dhcpcd || runs networking; then # nor dhcpcd and ifupdown, for anything else
        return 0
    fi
    say "systemd-networkd is not running; after this: systemctl enable --now systemd-networkd"
}

runs() { # UNIT
    systemctl --quiet is-active "$1"
}

missing_python() {
    find_python || if command -v apt-get >/dev/null; then
        echo python3 python3-venv
    else
        echo python
    fi
}

missing_packages() {
    [ -n "$alone" ] || command -v networkd-dispatcher >/dev/null || echo networkd-dispatcher
    command -v ip >/dev/null || echo iproute2
    ! command -v apt-get >/dev/null || bundled_pip >/dev/null || echo python3-venv
}

install_packages() { # PACKAGE...
    packages=$*
    [ -n "$packages" ] || return 0
    if [ -n "$dry_run" ]; then
        say "would install $packages"
        return 0
    fi
    new=''
    for package in $packages; do
        has_package "$package" || new="$new $package"
    done
    begin_step "installing $packages"
    # shellcheck disable=SC2086 # a list of words
    if command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq </dev/null >&2 || say "apt-get update failed; trying with its old lists"
        apt-get install -y -qq --no-install-recommends $packages </dev/null >&2
    elif command -v pacman >/dev/null; then
        pacman -S --noconfirm --needed $packages </dev/null >&2 # what 'install --json' says goes alone
    else
        false
    fi || fail 1 "not installed: $packages; install them by hand and try again"
    installed="$installed$new"
    end_step
}

enable_dispatcher() { # Debian's package does it, Arch's does not; 'install' then starts it
    systemctl --quiet is-enabled networkd-dispatcher 2>/dev/null ||
        systemctl --quiet enable networkd-dispatcher ||
        fail 1 "cannot enable networkd-dispatcher; see 'systemctl status networkd-dispatcher'"
}

# --- the files below the prefix ---------------------------------------------------------------

# Whatever a killed run leaves is in a directory "new", which the next run clears, or was noted
# before it was made.

begin_aside() { # DIR: make DIR/new, for what is to be renamed into DIR once it is whole
    aside=$1/new
    rm -rf "$aside"
    mkdir "$aside" || fail 3 "cannot write below $1; see that its disk is writable"
}

put_in_place() { # NAME: exchange what is there by what was made aside, with no moment without
    place=${aside%/new}/$1
    if [ -e "$place" ]; then
        "$python" -Ic '
import ctypes, os, sys
new, old = map(os.fsencode, sys.argv[1:])
HERE, EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE (renameat2(2))
if ctypes.CDLL(None).renameat2(HERE, new, HERE, old, EXCHANGE):
    os.rename(old, new + b".old")  # a file system that cannot do that
    os.rename(new, old)' "$aside/$1" "$place"
    else
        mv "$aside/$1" "$place"
    fi
    rm -rf "$aside"
    aside=
}

end_unfinished() { # on any exit: leave nothing behind of a run that failed
    status=$?
    trap '' INT TERM HUP
    end_step
    [ -z "$aside" ] || rm -rf "$aside"
    rmdir "$here/.demo" 2>/dev/null || :
    if [ -n "$fresh" ] && [ ! -e "$root$manifest" ]; then
        remove_program
    fi
    [ "$status" -eq 0 ] || [ -e "${lib-}/installed" ] || tell_packages
    exit "$status"
}

note() { # PATH: remember what --uninstall shall remove
    grep -Fqx -- "$1" "$lib/made" 2>/dev/null || echo "$1" >>"$lib/made"
}

make_lib() { # and hold it: nobody else may be at it meanwhile
    # Who makes directories notes all of them: one at a time, or uninstall would leave some.
    exec 8</
    flock -w 10 8 || fail 1 "somebody holds a lock on /; try again in a moment"
    missing='' place=$lib
    while [ ! -d "$place" ]; do
        missing="$missing$place
"
        place=$(dirname "$place")
    done
    mkdir -p "$lib" || fail 3 "cannot write below $prefix; see that its disk is writable, or give another --prefix"
    hold_lib
    [ -e "$lib/packages" ] || [ -e "$lib/venv" ] || fresh=1
    [ -e "$lib/made" ] || printf %s "$missing" >"$lib/made"
    note_packages
    exec 8<&-
}

hold_lib() {
    exec 9<"$lib"
    flock -n 9 || fail 1 "another install.sh is at work in $lib; wait for it"
}

note_packages() { # what --uninstall shall tell of; a file without any tells that there are none
    noted=$(cat "$lib/installed" 2>/dev/null) || :
    echo "$noted $installed" | xargs -rn 1 | sort -u >"$lib/installed.new"
    mv -f "$lib/installed.new" "$lib/installed"
}

# To apt they are a person's own, since they were asked for by name: what came along with them, and
# with "apt-mark auto" they themselves, go by autoremove, unless something else needs them by then.
tell_packages() { # those that this installed, which others may need by now
    stay=''
    for package in $installed; do
        ! has_package "$package" || stay="$stay $package"
    done
    [ -n "$stay" ] || return 0
    if command -v apt-get >/dev/null; then
        how="to have apt take those away that nothing else needs (it lists them, and asks):"
        how="$how sudo apt-mark auto$stay && sudo apt autoremove --purge"
    else
        how="if none does: sudo pacman -Rns$stay"
    fi
    say "packages that it installed stay, as others may need them by now:$stay; $how"
}

make_directory() { # PATH
    [ ! -d "$1" ] || return 0
    make_directory "$(dirname "$1")"
    note "$1"
    mkdir "$1" || fail 3 "cannot write below $prefix; see that its disk is writable, or give another --prefix"
}

put() { # MODE PATH: standard input as that file
    make_directory "${2%/*}"
    note "$2"
    cat >"$2.new"
    chmod "$1" "$2.new"
    mv -f "$2.new" "$2"
}

install_files() {
    link=$prefix/bin/netfail-hooks
    case $(readlink "$link" || true) in
    "$lib/netfail-hooks" | "$lib/venv/bin/netfail-hooks") ;;
    *) [ ! -e "$link" ] || fail 1 "$link is somebody else's; move it away and try again" ;;
    esac
    make_lib
    install_packages_of_python
    command_text | put 755 "$lib/netfail-hooks"
    make_directory "$prefix/bin"
    note "$link"
    ln -sfn "$lib/netfail-hooks" "$link.new"
    mv -fT "$link.new" "$link"
    share=$prefix/share
    put 644 "$share/man/man8/netfail-hooks.8" <"$here/man/netfail-hooks.8"
    completion bash "$share/bash-completion/completions/netfail-hooks"
    completion zsh "$share/zsh/site-functions/_netfail-hooks"
    completion fish "$share/fish/vendor_completions.d/netfail-hooks.fish"
}

command_text() { # it starts as the hooks do, and an older Python can still read it
    echo "#!$python -IS"
    cat <<'END'
"""netfail-hooks: see netfail-hooks(8). Made by install.sh."""

import os
import sys

if sys.version_info < (3, 11):
    have = "%s is Python %d.%d" % (sys.executable, sys.version_info[0], sys.version_info[1])
    sys.exit("netfail-hooks: %s, older than 3.11; install a newer one, then run install.sh" % have)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "packages"))
from netfail_hooks.cli import entry

sys.exit(entry())
END
}

completion() { # SHELL PATH
    text=$("$lib/netfail-hooks" completion "$1")
    put 644 "$2" <<END
$text
END
}

is_up_to_date() {
    stamp=$(
        "$python" -VV # for its byte code
        cd "$here"
        {
            cat packaging/requirements.txt
            find netfail_hooks hooks -name __pycache__ -prune -o -type f -print |
                LC_ALL=C sort | xargs cat
        } | cksum
    )
    [ "$(cat "$lib/packages/stamp" 2>/dev/null)" = "$stamp" ]
}

install_packages_of_python() {
    ! is_up_to_date || return 0
    need_pip
    begin_step "making $lib/packages"
    begin_aside "$lib"
    fetch_libraries "$aside"
    cp -R "$here/netfail_hooks" "$aside/packages/"
    cp -R "$here/hooks" "$aside/packages/netfail_hooks/"
    find "$aside/packages/netfail_hooks" -name __pycache__ -prune -exec rm -rf {} +
    "$python" -Im compileall -q "$aside/packages/netfail_hooks"
    chown -hR "$(id -u):$(id -g)" "$aside/packages"
    chmod -R u+rwX,go+rX,go-w "$aside/packages"
    echo "$stamp" >"$aside/packages/stamp"
    put_in_place packages
    end_step
}

# shellcheck disable=SC2046 # lists of words
do_install() {
    # Of a mistyped option before all else; what root runs of this checkout is looked at first.
    [ "$(id -u)" -eq 0 ] || ! find_python || check_arguments install "$@"
    export NETFAIL_HOOKS_INSTALL='sudo ./install.sh' # for the commands that are told
    if [ -z "$root" ]; then
        refuse_unfit_machine
        refuse_old_release
        install_packages $(missing_python) # all else is looked at by it
    fi
    need_python
    refuse_unsafe_checkout
    check_arguments install "$@"
    if [ -z "$dry_run" ]; then
        [ ! -t 2 ] || begin_step "looking at this machine" # minutes, on a small one
        check_machine "$@"
        end_step
    fi
    if [ -z "$root" ]; then
        ! leaves_out_dispatcher "$@" || alone=1
        install_packages $(missing_packages)
    else
        leave_this_machine
    fi
    [ -z "$dry_run" ] || show_install "$@"
    install_files
    [ -n "$root" ] || [ -n "$alone" ] || enable_dispatcher
    # Each file of the machine's is on disk once it is there; so must be what it runs.
    sync -f "$lib" || sync
    "$link" install "$@" 9<&- || exit
    fresh=
    remove_venv
}

show_install() {
    if is_up_to_date; then
        say "the program below $prefix is that of this checkout"
    else
        say "would put the command, its libraries and its man page below $prefix"
    fi
    # To amend a config takes one of the libraries, to show all else none; to put a ready one in
    # place takes it where that has alternative names.
    if [ -n "$ready" ]; then
        libraries=$lib/packages
    elif [ -e "$root/etc/netfail-hooks/config.toml" ]; then
        prepare_here
    fi
    export PYTHONDONTWRITEBYTECODE=1 # nor may root's files be left among the sources
    export NETFAIL_HOOKS_PACKAGE="$lib/packages" # what is shown runs from there
    run_here install "$@"
}

remove_venv() { # in which earlier versions were; until now hooks ran from there, and the check
    [ -e "$lib/venv" ] || return 0
    # Where networkd was not to follow nothing has told systemd of the unit's new place.
    if [ -z "$root" ] && [ -d /run/systemd/system ] && ! systemctl daemon-reload; then
        say "$lib/venv stays: the check may still run from there; see 'systemctl status'"
        return 0
    fi
    rm -rf "$lib/venv"
}

home_of_hooks() { # ROOT: print from where its hooks run, "" for none
    # Its check's unit, too: without networkd-dispatcher there are no hooks.
    sed -n "s/.*sys\.path += \[[\"']\([^\"']*\)[\"'].*/\1/p" \
        "$1/etc/networkd-dispatcher/routable.d/50-netfail-hooks" \
        "$1/etc/systemd/system/netfail-hooks-check.service" 2>/dev/null | head -n 1
}

runs_this_machine() { # tell whether this machine's own hooks run from there, whatever the root
    case $(home_of_hooks '') in
    "$lib"/*) ;;
    *) return 1 ;;
    esac
}

leave_this_machine() { # with --root: the program of its own hooks is theirs to update
    if runs_this_machine && ! is_up_to_date; then
        fail 1 "this machine's own failover runs from $lib, by another version;" \
            "update that first, without --root, or give another --prefix"
    fi
}

# By the installed program if that still runs, whatever Python it was made for, else by this one:
# neither needs a library for it.
put_network_back() { # ARGUMENT...
    export NETFAIL_HOOKS_GOES=1 # so that it need not tell that the program stays
    find_python ||
        fail 1 "putting the network back takes Python 3.11 or newer; $(how_to_get python3), then try again"
    for home in "$lib/packages" "$lib"/venv/lib/python3*/site-packages; do
        if [ -e "$home" ] && can_uninstall "$home"; then
            run_from "$home" uninstall "$@"
            return
        fi
    done
    [ -e "$root$manifest" ] || return 0
    case $(home_of_hooks "$root") in
    "$lib"/* | '') ;;
    *) return 0 ;; # of another copy, which knows how to take them away
    esac
    say "the program in $lib does not run; uninstalling by that of $here"
    refuse_unsafe_checkout
    run_from "$here" uninstall "$@"
}

can_uninstall() { # DIRECTORY
    run_from "$1" uninstall --dry-run ${root:+--root "$root"} >/dev/null 2>&1
}

remove_program() {
    case $(readlink "$prefix/bin/netfail-hooks" || :) in
    "$lib"/*) rm -f "$prefix/bin/netfail-hooks" ;;
    esac
    [ -d "$lib" ] || return 0
    rm -rf "$lib/packages" "$lib/new" "$lib/venv" "$lib/venv.new" "$lib/venv.old"
    # What lies in a directory before the directory; the list last, for who is killed meanwhile.
    paths=$(LC_ALL=C sort -r "$lib/made" 2>/dev/null) || paths=
    remove_each "$paths"
    installed=$(cat "$lib/installed" 2>/dev/null) || :
    rm -f "$lib/made" "$lib/installed" "$lib/installed.new"
    rmdir "$lib" 2>/dev/null || :
    remove_each "$paths"
}

remove_each() { # PATHS, a line each; directories in which others have put something stay
    printf '%s\n' "$1" | while read -r path; do
        if [ -d "$path" ] && [ ! -L "$path" ]; then
            rmdir "$path" 2>/dev/null || :
        elif [ -n "$path" ]; then
            rm -f "$path" "$path.new"
        fi
    done
}

only_demo_is_here() { # tell whether the demo was all that anybody ran
    [ -e "$here/.demo" ] && [ ! -d "$lib" ] && [ ! -e "$root$manifest" ] &&
        [ -z "$(home_of_hooks "$root")" ]
}

remove_demo() { # ARGUMENT...
    ! find_python || check_arguments uninstall "$@"
    if [ -n "$dry_run" ]; then
        say "would remove $here/.demo; nothing else of netfail-hooks is here"
        return 0
    fi
    rm -rf "$here/.demo" || fail 3 "cannot remove $here/.demo; use sudo"
    say "removed $here/.demo; nothing else of netfail-hooks was here"
}

do_uninstall() {
    if only_demo_is_here; then
        remove_demo "$@"
        return 0
    fi
    [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail 3 "only root can uninstall; use sudo"
    case $(home_of_hooks "$root") in
    "$lib"/*) ;;
    *)
        [ -d "$lib" ] ||
            fail 1 "not installed: nothing of netfail-hooks below $prefix; was it another --prefix?"
        ;;
    esac
    [ ! -d "$lib" ] || hold_lib
    put_network_back "$@"
    if [ -n "$root" ] && runs_this_machine; then
        say "$lib stays: this machine's own failover runs from there"
        return 0
    fi
    what="the command, its libraries, man page and completions below $prefix"
    [ ! -e "$here/.demo" ] || what="$what, and $here/.demo"
    if [ -n "$dry_run" ]; then
        say "would remove $what"
        installed=$(cat "$lib/installed" 2>/dev/null) || :
        tell_packages
        return 0
    fi
    remove_program
    rm -rf "$here/.demo" || what=${what%, and *}
    say "removed $what"
    for place in "$lib" "$here/.demo"; do # where others have put something
        [ ! -e "$place" ] || say "$place stays; to remove it: sudo rm -r '$place'"
    done
    tell_packages
}

# --- the command line -------------------------------------------------------------------------

# Of the caller's environment only this counts: --help tells.
clean_environment() {
    theirs=$PATH
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    [ "$(id -u)" -eq 0 ] || PATH=$theirs:$PATH
    export PATH
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
        case $name in
        PATH | PWD | LANG | LC_* | TERM | COLUMNS | LINES | NO_COLOR | SUDO_UID) ;;
        http_proxy | https_proxy | all_proxy | no_proxy) ;;
        HTTP_PROXY | HTTPS_PROXY | ALL_PROXY | NO_PROXY) ;;
        *) command unset "$name" 2>/dev/null || : ;; # what a shell keeps for itself stays
        esac
    done
}

clean_environment
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
task=install prefix=/usr/local wheels='' root='' dry_run=''
ready='' libraries=$here/.demo/packages
aside='' fresh='' alone='' installed='' counter='' help='' manifest=/var/lib/netfail-hooks/manifest.json
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
trap end_unfinished EXIT

left=$# # those that are not ours go to the end of the list, for the command
while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    case $word in
    --help | -h) help=1 ;;
    --demo) task=demo ;;
    --uninstall) task=uninstall ;;
    --dry-run) dry_run=1 && set -- "$@" "$word" ;;
    --config | --config=*) ready=1 && set -- "$@" "$word" ;;
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
if [ -n "$help" ]; then
    if [ "$task" != demo ] || ! find_python; then
        usage
        exit 0
    fi
    refuse_unsafe_checkout
    run_from "$here" demo --help
    exit
fi
[ -z "$wheels" ] || [ -d "$wheels" ] || fail 2 "$wheels is no directory; see --help"

case $task in
demo) demo "$@" ;;
install) do_install "$@" ;;
uninstall) do_uninstall "$@" ;;
esac
