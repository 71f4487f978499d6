# SPDX-License-Identifier: Apache-2.0
# Joining a group of processes that share namespaces. Sourced by benchmark.sh.
# shellcheck shell=bash disable=SC2154

# The group lasts as long as this process of it.
group=benchmark-$$
"${nsrun_joining[@]}" "$group" -- sleep infinity &
member=$!
sleep 1
race join --rounds "$rounds" \
    :: "plain exec" "${plain[@]}" /bin/true \
    :: "nsrun --preset hpc" "${nsrun_in_job[@]}" true \
    :: "nsrun --preset hpc --join, the first" "${nsrun_joining[@]}" "$group-first" -- true \
    :: "nsrun --preset hpc --join, another" "${nsrun_joining[@]}" "$group" -- true
# The one step that is the joining, as --verbose tells its time.
{
    step="join the group $group"
    echo "joining itself"
    for ((i = 0; i < rounds; i++)); do
        "${nsrun_joining[@]}" "$group" --verbose -- true 2>&1 |
            sed -nE "s/^nsrun: *([0-9]+) µs  $step.*/\1/p"
    done
} >"$work/joining"
kill "$member"
wait "$member" || true

printf '\n## Joining\n\n'
report table join µs "plain exec"
target limit joining "joining itself" µs 500
# With all that a launch is besides.
target excess join "nsrun --preset hpc --join, another" "plain exec" µs 500
