#!/bin/bash
# A contender of bench/run: a daemon that pings a host beyond each uplink, in the manner of a
# multi-WAN manager, with the settings that OpenWrt's mwan3 has where nothing is configured:
# a ping each 10 s that may take 4 s, 5 in a row that fail to take an uplink out of use, 5 that
# answer to take it back. Like it, it is told at once of a link that goes down or comes up.
# Written for this from mwan3's documentation
# (https://openwrt.org/docs/guide-user/network/wan/multiwan/mwan3).
#
#   ping-loop.sh TARGET NETWORK GATEWAY INTERFACE ADDRESS METRIC [INTERFACE ADDRESS METRIC]...
set -u

interval=10 timeout=4 down=5 up=5
target=$1 network=$2 gateway=$3
shift 3
declare -A address metric tracker state
links=()
while [ $# -ge 3 ]; do
    links+=("$1")
    address[$1]=$2 metric[$1]=$3
    shift 3
done

use() {
    ip route replace "$network" dev "$1" src "${address[$1]}" metric "${metric[$1]}"
    ip route replace default via "$gateway" dev "$1" metric "${metric[$1]}"
}

# A route that comes after all others, so that pings can still leave by the device.
leave() {
    ip route replace default via "$gateway" dev "$1" metric $((metric[$1] + 20000))
    ip route replace "$network" dev "$1" src "${address[$1]}" metric $((metric[$1] + 20000))
    ip route del default via "$gateway" dev "$1" metric "${metric[$1]}"
    ip route del "$network" dev "$1" metric "${metric[$1]}"
}

track() {
    local failed=0 well=0 online=1
    while :; do
        if ping -q -c 1 -W "$timeout" -I "$1" "$target" >/dev/null 2>&1; then
            failed=0 well=$((well + 1))
        else
            well=0 failed=$((failed + 1))
        fi
        if [ $online = 1 ] && [ $failed -ge $down ]; then
            online=0
            leave "$1"
        elif [ $online = 0 ] && [ $well -ge $up ]; then
            online=1
            use "$1"
        fi
        sleep "$interval"
    done 2>/dev/null
}

link_up() {
    use "$1"
    track "$1" &
    tracker[$1]=$!
}

link_down() {
    [ -z "${tracker[$1]:-}" ] || kill "${tracker[$1]}"
    leave "$1"
}

while read -r _ name flags _; do
    name=${name%%[@:]*}
    [[ " ${links[*]} " == *" $name "* ]] || continue
    case $flags in
        *LOWER_UP*) now=up ;;
        *) now=down ;;
    esac
    [ "$now" != "${state[$name]:-}" ] || continue
    state[$name]=$now
    "link_$now" "$name" 2>/dev/null
done < <(ip -o link show; exec ip -o monitor link)
