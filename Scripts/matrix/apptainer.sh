#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Gives the same command lines to nsrun under the name apptainer and to Apptainer itself, and prints those whose status
# or standard output differ. Apptainer is not kept here:
#
#   APPTAINER_ROOT   a root that has Apptainer 1.4 and squashfuse; mmdebstrap makes one of Debian sid
#   NSRUN_TEST_ROOTFS   the root that the images are made of
#
# Without such a root there is nothing to compare with, and it says so. For an ordinary user.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../matrix-lib.sh"

if [[ -z ${APPTAINER_ROOT:-} || -z ${NSRUN_TEST_ROOTFS:-} ]] || is_root; then
    say "no root with Apptainer is named (APPTAINER_ROOT), or root asks: nothing is compared"
    exit 0
fi
home=$(getent passwd "$(id -u)" | cut -d: -f6)
folder=$(mktemp -d "$home/nsrun-apptainer-XXXXXX")
trap 'rm -rf "$folder"; clean_up' EXIT
mkdir "$work/bin"
cp "$work/nsrun" "$work/bin/apptainer"
cp "$work/nsrun-rootfs" "$work/bin/"

# in_place COMMAND...: with an environment that both get.
in_place() {
    env -i -C "$folder" HOME="$home" USER="$USER" LOGNAME="$USER" TERM=dumb LANG=C.UTF-8 PATH=/usr/bin:/bin \
        APPTAINER_CONFIGDIR="$folder/settings" "$@"
}
real() {
    in_place "$work/nsrun" --rootfs "$APPTAINER_ROOT" --ephemeral --home --cwd --share-pid --dev-bind /dev /dev -- "$@"
}

cd "$folder"
mkdir one two layer
printf 'A1=1\nA2="two"\n# nothing\n' >variables
in_place "$work/bin/nsrun-rootfs" export --quiet --compression gzip "$NSRUN_TEST_ROOTFS" ours.sif
cat >theirs.def <<'END'
Bootstrap: localimage
From: ours.sif
%environment
    export MINE=yes
%runscript
    echo "ran $# $1 $MINE"
%test
    echo tested
%labels
    Author me
%help
    Help me.
END
cat >both.def <<'END'
Bootstrap: localimage
From: ours.sif
Stage: first
%post
    mkdir /opt/d; echo first >/opt/d/f; ln -s f /opt/d/l
Bootstrap: localimage
From: ours.sif
%arguments
    WORD=default
%files from first
    /opt/d /opt/new
%files
    variables
    theirs.def /opt/there/
%environment
    export A={{ WORD }}
%post -c /bin/bash
    id -u; pwd
    echo "export B=post" >>$APPTAINER_ENVIRONMENT
    echo "From post" >>$APPTAINER_LABELS
%runscript
    echo "ran $1 $A $B"
%startscript
    echo "started $1 $A $B"
%test
    echo "tested $A"
%labels
    Author me
%help
    Help me.
END
say "Apptainer builds an image of one of nsrun's"
real apptainer --silent build theirs.sif theirs.def >/dev/null

count=0 differ=0
while IFS= read -r line; do
    ((++count))
    variables=()
    while [[ $line =~ ^([A-Z_]+=[^ ]*)\ (.*) ]]; do
        variables+=("${BASH_REMATCH[1]}")
        line=${BASH_REMATCH[2]}
    done
    ours=$(in_place PATH="$work/bin:/usr/bin:/bin" "${variables[@]}" timeout 300 bash -c "apptainer $line" 2>"$work/ours" </dev/null) &&
        code=0 || code=$?
    ours+=$'\n'"status $code"
    theirs=$(real env "${variables[@]}" timeout 300 bash -c "apptainer $line" 2>"$work/theirs" </dev/null) &&
        code=0 || code=$?
    theirs+=$'\n'"status $code"
    # The text on how a command is used is each one's own.
    if [[ $theirs == *$'\n'"status 1" && $(<"$work/theirs") == *"Error for command"* ]]; then theirs=$'\n'"status 1"; fi
    if [[ $ours != "$theirs" ]]; then
        ((++differ))
        echo "apptainer $line"
        diff <(echo "$ours") <(echo "$theirs") | sed 's/^/    /' | head -n 12 || true
    fi
done <<'END'
--version
version
exec ours.sif true
exec ours.sif false
exec ours.sif sh -c 'exit 42'
exec ours.sif nope
exec ours.sif /nope
exec ours.sif /etc/passwd
exec ours.sif -- echo x
exec ours.sif
exec --nosuch ours.sif true
exec /nope.sif true
exec ours.sif id
exec ours.sif pwd
exec ours.sif sh -c 'env | sort | grep -v -e USER_PATH -e ^_='
exec -e ours.sif sh -c 'env | sort | grep -v USER_PATH'
exec -C ours.sif sh -c 'env | sort | grep -v USER_PATH'
exec -c ours.sif sh -c 'pwd; ls -A ~ /tmp /var/tmp'
exec ours.sif sh -c 'grep -E "Cap|NoNew" /proc/self/status'
exec ours.sif sh -c 'echo x >/x'
exec --writable-tmpfs ours.sif sh -c 'echo x >/x; cat /x'
exec -w ours.sif true
exec -B /etc:/mnt ours.sif ls /mnt/passwd
exec -eCB /etc:/mnt ours.sif ls /mnt/passwd
exec -B /nope ours.sif true
exec -B /etc:mnt ours.sif true
exec -B /etc:/mnt:zz ours.sif true
exec -B /etc:/etc/passwd ours.sif true
exec -B $PWD/theirs.def:/d:ro ours.sif sh -c 'echo x >/d'
exec -B $PWD/one,$PWD/two:/x ours.sif ls -d $PWD/one /x
exec -B one:/x ours.sif ls -d /x
exec --mount type=bind,source=/etc,destination=/mnt ours.sif ls /mnt/passwd
exec --mount type=bind,src=$PWD/one,dst=/mnt,ro ours.sif touch /mnt/x
exec --mount type=tmpfs,dst=/mnt ours.sif true
exec --pwd /usr ours.sif pwd
exec --pwd /nope ours.sif pwd
exec --home $PWD/one ours.sif sh -c 'echo $HOME; pwd'
exec --home $PWD/one:/hh ours.sif sh -c 'echo $HOME; pwd'
exec --no-home ours.sif sh -c 'echo $HOME; pwd'
exec --no-mount tmp ours.sif sh -c 'ls -A /tmp'
exec --env A=1,B=2 ours.sif sh -c 'echo $A $B'
exec --env C=x,y ours.sif sh -c 'echo $C'
exec --env C ours.sif true
exec --env 'A=$HOME' ours.sif sh -c 'echo $A'
exec --no-eval --env 'A=$HOME' ours.sif sh -c 'echo $A'
exec --env HOME=/x ours.sif sh -c 'echo $HOME'
exec --env PATH=/bin ours.sif sh -c 'echo $PATH'
exec --env LD_LIBRARY_PATH=/x ours.sif sh -c 'echo $LD_LIBRARY_PATH'
exec --env PREPEND_PATH=/x ours.sif sh -c 'echo $PATH'
exec --env-file variables ours.sif sh -c 'echo $A1 $A2'
APPTAINERENV_X=1 exec -e ours.sif sh -c 'echo $X'
SINGULARITYENV_X=1 exec -e ours.sif sh -c 'echo $X'
APPTAINERENV_PREPEND_PATH=/x APPTAINERENV_APPEND_PATH=/y exec ours.sif sh -c 'echo $PATH'
APPTAINER_BIND=/etc:/mnt exec ours.sif ls /mnt/passwd
SINGULARITY_BINDPATH=/etc:/mnt exec ours.sif ls /mnt/passwd
APPTAINER_CONTAINALL=1 exec ours.sif sh -c 'echo $USER; ls -A ~'
APPTAINER_PWD=/usr exec ours.sif pwd
LD_LIBRARY_PATH=/nowhere X=y exec ours.sif sh -c 'echo $LD_LIBRARY_PATH $X'
exec -p --no-init ours.sif sh -c 'echo $$'
exec --net ours.sif true
exec --hostname foo ours.sif hostname
exec -S /scr ours.sif sh -c 'touch /scr/x && ls /scr'
exec -c -W $PWD/two ours.sif sh -c 'echo x >/tmp/f; ls /tmp'
exec -o layer ours.sif sh -c 'echo 2 >/x; cat /x'
exec -o layer ours.sif cat /x
exec --compat ours.sif sh -c 'umask; pwd; echo x >/x && cat /x'
exec --no-umask ours.sif sh -c umask
exec ours.sif sh -c 'kill -TERM $$'
exec -C ours.sif sh -c 'kill -TERM $$'
run ours.sif echo hi
run theirs.sif a b
run theirs.sif
exec theirs.sif sh -c 'echo $MINE'
exec --env MINE=no theirs.sif sh -c 'echo $MINE'
MINE=host exec theirs.sif sh -c 'echo $MINE'
test theirs.sif
test ours.sif
inspect theirs.sif
inspect -r theirs.sif
inspect -e theirs.sif
inspect -d theirs.sif
inspect -t theirs.sif
inspect -H theirs.sif
inspect --json theirs.sif
inspect --json -r -e -d theirs.sif
inspect ours.sif
inspect -r ours.sif
inspect --json ours.sif
shell ours.sif
exec instance://x true
build -F both.sif both.def
run both.sif x
test both.sif
exec both.sif find /opt /variables
exec both.sif cat /.singularity.d/env/90-environment.sh /.singularity.d/env/91-environment.sh
exec both.sif cat /.singularity.d/runscript /.singularity.d/startscript /.singularity.d/test
inspect -e both.sif
inspect -d both.sif
inspect -H both.sif
build -F --build-arg WORD=given both.sif both.def
run both.sif x
build -F --build-arg NOPE=1 both.sif both.def
build both.sif both.def
instance list
instance list -j
instance start ours.sif
instance start ours.sif a/b
instance start /nope.sif nsrun-matrix
instance start both.sif one word; apptainer instance start both.sif one; echo $?; apptainer instance stop one
instance start both.sif one word; apptainer exec instance://one sh -c 'echo $A $B $APPTAINER_INSTANCE $APPTAINER_NAME; pwd; id -u'; apptainer instance stop one
instance start both.sif one; apptainer exec -B /etc:/mnt --env A=x instance://one sh -c 'ls /mnt; echo $A'; apptainer instance stop one
instance start --env S=1 both.sif one; apptainer exec --pwd /usr instance://one sh -c 'pwd; echo $S'; apptainer instance stop one
instance start both.sif one; apptainer exec -C instance://one pwd; apptainer exec instance://one nope; echo $?; apptainer instance stop -a
instance start both.sif one; apptainer run instance://one x; apptainer test instance://one; apptainer instance stop 'o*'
instance run both.sif one x; for i in 1 2 3; do sleep 1; test -s settings/instances/logs/*/*/one.out && break; done; tail -n 1 settings/instances/logs/*/*/one.out; apptainer instance stop one
instance start both.sif one x; for i in 1 2 3; do sleep 1; test -s settings/instances/logs/*/*/one.out && break; done; tail -n 1 settings/instances/logs/*/*/one.out; apptainer instance stop -F one
instance start both.sif one; apptainer instance list | wc -l; apptainer instance stop one; apptainer instance list
instance stop
cache list
cache clean -n
exec library://x/y true
exec docker-archive:nope.tar true
exec oci:nope true
build ours.sif one
END
echo "$count command lines, $differ with another outcome"
if ((differ > 0)); then status=1; fi
exit "$status"
