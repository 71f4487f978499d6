# SPDX-License-Identifier: Apache-2.0
cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement:
    dockerPull: IMAGE
baseCommand:
  - sh
  - -c
  - |
    echo "$(grep -c . "$0") lines on Debian $(cat /etc/debian_version)"
    [ "$(grep -c : /proc/net/dev)" != 1 ] || echo "network none"
inputs:
  file:
    type: File
    inputBinding:
      position: 1
outputs:
  count:
    type: stdout
stdout: count.txt
