#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The entry point of the example's image.
echo "$GREETING, $1! This is $0 in $(pwd), on Debian $(cat /etc/debian_version)."
echo "Notes: $(ls notes)"
