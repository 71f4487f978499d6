#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The application: says where it is, and what of the host it can see.
echo "I am $FLATPAK_ID"
echo "pid 1 here is $(cat /proc/1/comm)"
set -- /proc/[0-9]*
echo "processes: $#"
echo "homes: $(ls -A /home 2>&- || echo none)"
touch /usr/x 2>&- || echo "the runtime is read-only"
touch /app/x 2>&- || echo "the application is read-only"
touch "$XDG_DATA_HOME/x" && echo "my own data is writable"
