#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A Slurm of one node on loopback, from Debian's packages and without systemd, for tests: munged,
# slurmctld and slurmd, all of whose files are in one folder. Root only; any user may submit.
#
#   Scripts/slurm.sh start FOLDER    make the folder, start it, and print the environment of clients
#   Scripts/slurm.sh stop FOLDER     end it and every job of it, and remove the folder
#
# NSRUN_SLURM_CPUS, 16 unless set, is how many processors the node is said to have.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

slurm_needs=(libpmix2 munge python3 slurm-client slurmctld slurmd)
evidence+=(
    [libpmix2]=/usr/lib/x86_64-linux-gnu/pmix2/lib/libpmix.so.2
    [munge]=/usr/sbin/munged
    [python3]=python3
    [slurm-client]=srun
    [slurmctld]=/usr/sbin/slurmctld
    [slurmd]=/usr/sbin/slurmd
)

usage="usage: Scripts/slurm.sh start|stop FOLDER"
(($# == 2)) || fail "one word and a folder are wanted" "$usage"
is_root || fail "only root can start programs as other users, as slurmd does" "run it as root"
# slurmd must find it from elsewhere.
folder=$(realpath -m "$2")
export SLURM_CONF=$folder/slurm.conf

# free_port: one that nobody has, until somebody takes it.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# run_daemon NAME COMMAND...: in a session of its own; its pid is in the folder.
run_daemon() {
    local name=$1
    shift
    setsid "$@" >"$folder/$name.out" 2>&1 </dev/null &
    echo $! >"$folder/$name.pid"
}

# eventually COMMAND...: within half a minute.
eventually() {
    local _
    for _ in {1..300}; do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    return 1
}

write_configuration() {
    local node
    node=$(hostname -s)
    # linuxproc and task/none because cgroups need not be delegated here; the processors are as many
    # as tests want ranks, for nothing is bound to them.
    cat >"$SLURM_CONF" <<END
ClusterName=nsrun
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.own.pid
SlurmdPidFile=$folder/slurmd.own.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/completed
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,sched_interval=1
MaxArraySize=1001
ReturnToService=2
KillWait=5
MessageTimeout=60
PlugStackConfig=$folder/plugstack.conf
NodeName=$node NodeAddr=127.0.0.1 CPUs=${NSRUN_SLURM_CPUS:-16} State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=60 State=UP OverSubscribe=FORCE:4
END
    echo "CgroupPlugin=cgroup/v1" >"$folder/cgroup.conf"
    : >"$folder/plugstack.conf"
}

is_up() { [[ $(sinfo -h -o %T) == @(idle|mixed|allocated) ]]; }

start() {
    [[ ! -e $folder ]] || fail "$folder is there already" "stop what runs there, or name another"
    mkdir -p "$folder"
    chmod 755 "$folder"
    mkdir "$folder/state" "$folder/spool"
    # munged trusts no directory that others may write to, and runs as the user of its own.
    install -d -o munge -g munge -m 711 "$folder/munge"
    head -c 128 /dev/urandom >"$folder/munge/key"
    chown munge:munge "$folder/munge/key"
    chmod 400 "$folder/munge/key"
    write_configuration

    run_daemon munged runuser -u munge -- munged --foreground --socket="$folder/munge/socket" \
        --key-file="$folder/munge/key" --log-file="$folder/munge/log" \
        --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed"
    eventually test -S "$folder/munge/socket" || give_up "munged does not start" munged.out
    run_daemon slurmctld slurmctld -D
    run_daemon slurmd slurmd -D
    eventually is_up || give_up "the node does not come up" slurmctld.log slurmd.log slurmd.out
    printf 'export SLURM_CONF=%q\n' "$SLURM_CONF"
}

# give_up MESSAGE FILE...: with the ends of log files.
give_up() {
    local message=$1
    shift
    (cd "$folder" && tail -n 15 "$@") >&2 || true
    stop
    fail "$message"
}

# What has ended and is not yet buried has no command line.
is_over() {
    local name pid
    for name in slurmd slurmctld munged; do
        pid=$(cat "$folder/$name.pid" 2>/dev/null) || continue
        [[ -z $(tr -d '\0' 2>/dev/null <"/proc/$pid/cmdline") ]] || return 1
    done
}

no_jobs() { [[ -z $(squeue -h) ]]; }

stop() {
    local name pid signal state
    [[ -d $folder ]] || fail "there is no $folder" "$usage"
    for state in PENDING RUNNING SUSPENDED; do scancel --state="$state" || true; done
    # A step that slurmd does not end, nobody does.
    eventually no_jobs || say "jobs go on: $(squeue -h -o %i)"
    for signal in TERM KILL; do
        for name in slurmd slurmctld munged; do
            pid=$(cat "$folder/$name.pid" 2>/dev/null) || continue
            kill "-$signal" -- "-$pid" 2>/dev/null || true
        done
        if eventually is_over; then break; fi
    done
    rm -rf "$folder"
}

case $1 in
start)
    prepare_host "${slurm_needs[@]}" >&2
    start
    ;;
stop) stop ;;
*) fail "unknown word $1" "$usage" ;;
esac
