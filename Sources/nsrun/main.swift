import Glibc
import LaunchCommand

exit(LaunchTool.run())
