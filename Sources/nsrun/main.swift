// SPDX-License-Identifier: Apache-2.0

import CNamespace
import LaunchCommand

exit(LaunchTool.run())
