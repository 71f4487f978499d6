#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Jobs under a real Slurm of one node (Scripts/slurm.sh), submitted by an ordinary user with srun and
# sbatch: exit codes, signals, limits, arrays, and MPI by pmix, by pmi2 and by mpirun, with --join. Prints
# a table. Only root can start a Slurm, so only root runs this; the jobs are the account's.
#
#   slurm.sh [TEXT]     only the rows that hold this text
#
# Finds the two commands in NSRUN and NSRUN_ROOTFS, else installed. NSRUN_MATRIX_ACCOUNT names another
# account than nsrun-test; SLURM_CONF, where it is set, a Slurm that runs already.

# Most functions are called through trap and check only, with words for a shell of the account's.
# shellcheck disable=SC2016,SC2317
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

if ! is_root; then
    say "only root can start a Slurm: nothing is tried here"
    exit
fi
account=${NSRUN_MATRIX_ACCOUNT:-$account}
prepare_host libopenmpi-dev openmpi-bin
home=$(account_home)
nsrun=$(type -P "${NSRUN:-nsrun}")
tool=$(type -P "${NSRUN_ROOTFS:-nsrun-rootfs}")
# The account's, below its home, which is there in every job.
work=$(unprivileged mktemp -d "$home/nsrun-slurm-XXXXXX")
only=${1-}
slurm=
job=
status=0

clean_up() {
    [[ -z $slurm ]] || "$project/Scripts/slurm.sh" stop "$slurm"
    rm -rf "$work"
}
trap clean_up EXIT

install -m 755 -t "$work" "$nsrun" "$tool" "$project"/Examples/slurm/*.sbatch
install -m 644 -t "$work" "$project/Examples/mpi/pingpong.c"
if [[ -z ${SLURM_CONF-} ]]; then
    slurm=$(mktemp -du "${TMPDIR:-/tmp}/nsrun-slurm-XXXXXX")
    eval "$("$project/Scripts/slurm.sh" start "$slurm")"
fi
export SLURM_CONF

# What jobs run. Each tells in the file `seen` what happened to it.
cat >"$work/listen" <<'END'
#!/bin/bash
# listen: until there is a file `go`, then exit code 3
trap 'echo USR1 >>seen' USR1
trap 'echo TERM >>seen; exit 0' TERM
echo ready >>seen
while [[ ! -e go ]]; do
    sleep 0.1 &
    wait $!
done
echo end >>seen
exit 3
END
cat >"$work/ignore" <<'END'
#!/bin/bash
# ignore: TERM, with a program in the background and one in the foreground
trap '' TERM
sleep 1000 &
echo ready >>seen
sleep 1000
END
cat >"$work/where" <<'END'
#!/bin/sh
# where: which mount namespace this is, for a second
readlink /proc/self/ns/mnt
sleep 1
END
chmod 755 "$work"/{listen,ignore,where}

# as_user SCRIPT [ARGUMENT]...: a shell of the account's, in its folder, where `job` is nsrun as a rank
# runs it, in a root with MPI.
as_user() {
    unprivileged env SLURM_CONF="$SLURM_CONF" NSRUN="$work/nsrun" ROOT=mpi \
        PATH="$work:/usr/local/bin:/usr/bin:/bin" OMPI_MCA_mpi_yield_when_idle=1 \
        OMPI_MCA_rmaps_base_oversubscribe=1 \
        timeout 300 bash -euc "cd '$work'; job='nsrun --preset hpc --rootfs mpi'; $1" bash "${@:2}"
}

# check WHAT COMMAND...: one row of the table.
check() {
    local what=$1 code
    [[ $what == *"$only"* ]] || return 0
    # Not as a condition: there, a command that fails would not end the function.
    set +e
    (set -e; "${@:2}") >"$work/log" 2>&1
    code=$?
    set -e
    if ((code == 0)); then
        printf '| %s | yes |\n' "$what"
    else
        printf '| %s | NO |\n' "$what"
        status=1
        { echo "matrix: $what: ${*:2}"; tail -n 20 "$work/log"; } >&2
    fi
}

# eventually COMMAND...: within half a minute.
eventually() {
    local _
    for _ in {1..300}; do
        if "$@"; then return; fi
        sleep 0.1
    done
    return 1
}

# nothing_left: no process of the account's. What has ended and is not yet buried is not left.
nothing_left() {
    eventually no_process || { pgrep -u "$account" -r D,R,S,T -a && false; }
}
no_process() { ! pgrep -u "$account" -r D,R,S,T >/dev/null; }

# field JOB NAME: what Slurm keeps of a job.
field() { scontrol show job "$1" | tr ' ' '\n' | sed -n "s/^$2=//p" | head -n 1; }
has_field() { [[ $(field "$1" "$2") == "$3" ]]; }
has_line() { grep -qx "$2" "$work/$1" 2>/dev/null; }

# submit SCRIPT [OPTION]...: a batch job of one command line; prints its number.
submit() { as_user 'sbatch --parsable --output=job.out "${@:2}" --wrap "$1"' "$@"; }

# MARK: Exit codes and signals

exits() {   # exits WANTED COMMAND...: by srun, in the root
    local got=0
    as_user 'srun -Q $job "$@"' "${@:2}" || got=$?
    [[ $got == "$1" ]]
}

accounts() {   # accounts CODE:SIGNAL STATE SCRIPT: what Slurm keeps of a batch job that ends so
    job=$(submit "exec \$NSRUN --preset hpc --rootfs mpi -- sh -c '$3'")
    eventually has_field "$job" JobState "$2"
    has_field "$job" ExitCode "$1"
    nothing_left
}

# start_job PROGRAM [SRUN-OPTIONS [NSRUN-OPTIONS [SBATCH-OPTION...]]]: waits until one that is there says so.
start_job() {
    rm -f "$work"/{seen,go}
    job=$(submit "srun ${2-} \$NSRUN --preset hpc --rootfs mpi ${3-} -- ./$1" "${@:4}")
    eventually has_line seen ready
}

# saw WORD...: what the program has told, in order.
saw() { [[ $(tr '\n' ' ' <"$work/seen") == "$* " ]]; }

one_signal() {   # one_signal NSRUN-OPTIONS: what is sent to the step comes to the program, and comes once
    start_job listen "" "$1"
    as_user 'scancel --signal=USR1 "$1"' "$job"
    eventually has_line seen USR1
    as_user 'touch go'
    eventually has_line seen end
    saw ready USR1 end
    eventually has_field "$job" ExitCode 3:0
    nothing_left
}

cancelled() {
    as_user 'scancel "$1"' "$job"
    eventually has_field "$job" JobState CANCELLED
    nothing_left
}

terminated() {   # terminated NSRUN-OPTIONS: TERM comes to the program, once, and it may end in its own way
    start_job listen "" "$1"
    cancelled
    saw ready TERM
}

stubborn() {   # stubborn NSRUN-OPTIONS: what does not heed TERM is killed, with what it has started
    start_job ignore "-n 4 --overcommit" "$1"
    cancelled
}

time_limit() {   # the end of the time, which Slurm counts in minutes
    start_job listen "" "--join auto" --time=1
    local _
    for _ in 1 2 3 4; do
        if eventually has_field "$job" JobState TIMEOUT; then break; fi
    done
    has_field "$job" JobState TIMEOUT
    saw ready TERM
    nothing_left
}

# MARK: Examples/slurm

array() {
    as_user 'sbatch --wait array.sbatch; cat array-*.out | sort -u | wc -l | grep -x 100
        grep -x "task 12: 144" array-12.out; rm array-*.out'
    nothing_left
}

checkpoint() {   # it goes on where it was interrupted
    rm -f "$work/count"
    job=$(as_user 'STEPS=100000 PAUSE=0.05 sbatch --parsable --output=job.out checkpoint.sbatch')
    eventually has_field "$job" JobState RUNNING
    sleep 2
    as_user 'scancel --signal=USR1 "$1"' "$job"
    eventually test -s "$work/count"
    as_user 'scancel "$1"' "$job"
    eventually has_field "$job" JobState CANCELLED
    grep -c '^saved' "$work/job.out" | grep -x 2   # by USR1, and by TERM
    local count
    count=$(<"$work/count")
    as_user 'STEPS=$1 PAUSE=0 sbatch --wait --output=job.out checkpoint.sbatch' "$((count + 3))"
    grep -x "done $((count + 3))" "$work/job.out"
    nothing_left
}

# MARK: MPI

compile() {
    as_user '$job -- mpicc.openmpi -O2 -o openmpi pingpong.c
        $job -- mpicc.mpich -O2 -o mpich pingpong.c'
}

ranks() {   # ranks NUMBER PMI PROGRAM: by srun; small, middle and large messages, each checked
    local sizes="8 65536 4194304"
    as_user 'PMI=$1 PROGRAM=./$2 sbatch --wait --overcommit --ntasks="$3" --output=job.out \
        mpi-srun.sbatch -b 1 $4' "$2" "$3" "$1" "$sizes"
    ran "$1"
}

ranks_of_mpirun() {
    as_user 'PROGRAM=./openmpi sbatch --wait --ntasks="$1" --output=job.out \
        mpi-mpirun.sbatch -b 1 8 65536 4194304' "$1"
    ran "$1"
}

ran() {
    cat "$work/job.out"
    grep -x "$1 ranks, sum $(($1 * ($1 + 1) / 2))" "$work/job.out"
    [[ $(wc -l <"$work/job.out") == 4 ]]
    nothing_left
}

one_world() {   # all ranks of a step are in one mount namespace, and those of another step in another
    as_user 'srun -Q -n 8 $job --join auto ./where | sort -u >one &
        srun -Q -n 8 $job --join auto ./where | sort -u >two
        wait; wc -l <one | grep -x 1; wc -l <two | grep -x 1; ! cmp -s one two'
    nothing_left
}

fifty_rounds() {
    as_user 'for round in {1..50}; do
        mpirun --oversubscribe -n 8 $job --join auto true || { echo "round $round"; exit 1; }
    done'
    nothing_left
}

mpi_cancelled() {   # in the middle of large messages
    job=$(as_user 'PMI=$1 PROGRAM=./$2 sbatch --parsable --overcommit --ntasks=4 --output=job.out \
        mpi-srun.sbatch -b 1000 4194304' "$1" "$2")
    eventually has_line job.out '4 ranks, sum 10'
    sleep 1
    cancelled
}

make_mpi_rootfs() {
    as_user 'nsrun-rootfs show mpi >/dev/null 2>&1 || nsrun-rootfs debian "$1" mpi \
        --include "$2"' "$suite" "$mpi_packages"
}

say "the root with MPI"
make_mpi_rootfs >&2
compile >&2
# What runs beside is not this script's.
no_process || fail "processes of $account run" "wait for their end"

printf '| job | as it should be |\n| --- | --- |\n'
for code in 0 7; do check "srun: exit code $code" exits "$code" -- sh -c "exit $code"; done
check "srun: a program that is not there" exits 127 -- nosuch
check "srun: a set-up that fails" exits 125 --bind /nope /mnt -- true
check "srun: ended by TERM" exits 143 -- sh -c 'kill -TERM $$'
check "accounting: exit code 0" accounts 0:0 COMPLETED "exit 0"
check "accounting: exit code 7" accounts 7:0 FAILED "exit 7"
check "accounting: ended by KILL" accounts 0:9 FAILED "kill -KILL \$\$"
check "USR1, once" one_signal ""
check "USR1, once, --join" one_signal "--join auto"
check "scancel: TERM, once" terminated ""
check "scancel: TERM, once, --join" terminated "--join auto"
check "scancel: KILL after TERM" stubborn ""
check "scancel: KILL after TERM, --join" stubborn "--join auto"
check "time limit: TERM, once" time_limit
check "array of 100 jobs" array
check "checkpoint, and on from there" checkpoint
check "a step is one group, another step another" one_world
for number in 2 8; do
    check "srun --mpi=pmix, Open MPI, $number ranks, --join" ranks "$number" pmix openmpi
    check "srun --mpi=pmi2, MPICH, $number ranks, --join" ranks "$number" pmi2 mpich
    check "mpirun, Open MPI, $number ranks, --join" ranks_of_mpirun "$number"
done
check "scancel among large messages, pmix" mpi_cancelled pmix openmpi
check "scancel among large messages, pmi2" mpi_cancelled pmi2 mpich
check "50 rounds of mpirun -n 8 nsrun --join auto true" fifty_rounds
exit "$status"
