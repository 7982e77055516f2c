#!/bin/bash
# A contender of bench/run, in the manner of what people hang on ifplugd or keepalived: told by
# the kernel that a link has lost its carrier, take its routes away; told that it is back, add
# them again. Addresses stay as they are.
#
#   carrier-hook.sh NETWORK GATEWAY INTERFACE ADDRESS METRIC [INTERFACE ADDRESS METRIC]...
set -u

network=$1 gateway=$2
shift 2
declare -A address metric carrier
while [ $# -ge 3 ]; do
    address[$1]=$2 metric[$1]=$3 carrier[$1]=unknown
    shift 3
done

up() {
    ip route replace "$network" dev "$1" src "${address[$1]}" metric "${metric[$1]}"
    ip route replace default via "$gateway" dev "$1" metric "${metric[$1]}"
}

down() {
    ip route del default via "$gateway" dev "$1" metric "${metric[$1]}"
    ip route del "$network" dev "$1" metric "${metric[$1]}"
}

# "3: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 ..."
{ ip -o link show; exec ip -o monitor link; } | while read -r _ name flags _; do
    name=${name%%[@:]*}
    [ -n "${carrier[$name]:-}" ] || continue
    case $flags in
        *LOWER_UP*) now=up ;;
        *) now=down ;;
    esac
    [ "$now" != "${carrier[$name]}" ] || continue
    carrier[$name]=$now
    "$now" "$name" 2>/dev/null
done
