#!/bin/sh
# in-a-machine.sh - plays the attack bench where more files may be open than this machine allows
#
#   benches/attack/in-a-machine.sh crowd --json out.json --report out/
#
# A crowd of 100,000 sessions is 100,000 descriptors in the server and as many in the bench. Where the
# hard limit is lower and root may not raise it (containers, guests), a machine of our own has a limit of
# its own: this boots User-Mode Linux, a kernel that runs as an ordinary program, needs no root, no KVM and
# no image, and sees this machine's own files. Inside, everything is read-only but the current folder,
# where --json and --report may point, and what is in memory; it has no network but its own loopback.
#
# It has one processor, counts CPU time in ticks of 10 ms, and a system call or a page fault costs tens of
# times what it costs outside: only sizes, and ratios of many of the same, say anything.
#
# Needs: user-mode-linux, postfix and dovecot-core from Debian, cargo, room in /dev/shm for MEMORY (default
# 10G; it takes what it uses), and vm.max_map_count: every page of a program inside may be a mapping outside,
# and Debian 12's 65,530 end a crowd at 50,000. It takes MINUTES (default 60) at most.
# Not here: the bench itself, and what a run means; see main.rs.
set -eu

memory=${MEMORY:-10G}
minutes=${MINUTES:-60}

missing=
[ -x /usr/bin/linux.uml ] || missing="$missing user-mode-linux"
[ -x /usr/lib/postfix/sbin/master ] || missing="$missing postfix"
[ -x /usr/sbin/dovecot ] || missing="$missing dovecot-core"
if [ -n "$missing" ]; then
    echo "in-a-machine: apt-get install --no-install-recommends$missing" >&2
    exit 2
fi

# Only said: a setting of this whole machine is its owner's, and other scenarios do without.
if [ "$(cat /proc/sys/vm/max_map_count)" -lt 400000 ]; then
    echo "in-a-machine: a large crowd needs: sysctl vm.max_map_count=1048576 (until the next start)" >&2
fi

bench=$(cd "$(dirname "$0")" && cargo bench --locked --bench attack --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/attack-[^"]*\)".*/\1/p')
[ -x "$bench" ] || exit 2

scratch=$(mktemp -d)
clean_up() {
    # The machine leads a group of its own, with all its processes in it.
    pid=$(cat "$scratch/machine/pid" 2>/dev/null) && kill -s KILL -- "-$pid" 2>/dev/null || true
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

# A word as the shell reads it back, whatever is in it.
quoted() {
    printf "'%s' " "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

# The machine's first process. The tmpfs over /run holds what the servers write: TMPDIR.
{
    echo '#!/bin/sh'
    echo "folder=$(quoted "$PWD") scratch=$(quoted "$scratch") minutes=$minutes"
    echo "set -- $(quoted "$bench") $(for word; do quoted "$word"; done)"
    cat <<'END'
exec </dev/null
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p -m 1777 /run/tmp
for writable in "$folder" "$scratch"; do
    mount -t hostfs -o "$writable" none "$writable"
done
ip link set lo up
cd "$folder"
export TMPDIR=/run/tmp HOME=/run PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
timeout "${minutes}m" "$@"
echo $? >"$scratch/code"
sync
echo o >/proc/sysrq-trigger
sleep 60
END
} >"$scratch/init"
chmod +x "$scratch/init"

# Kernel and program of the machine wake each other at every system call: on one processor that is faster,
# and costs the same each time.
processor=$(taskset -pc $$ | sed 's/.*[ ,-]//')
# A little longer than the bench inside: for a machine that hangs.
taskset -c "$processor" timeout -k 9 "$((minutes + 2))m" linux.uml "mem=$memory" "uml_dir=$scratch" umid=machine \
    rootfstype=hostfs rootflags=/ ro "init=$scratch/init" con=null con0=null,fd:1 quiet </dev/null &
wait $! || true
exit "$(cat "$scratch/code" 2>/dev/null || echo 2)"
