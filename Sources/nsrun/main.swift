import CNamespace
import LaunchCommand

exit(LaunchTool.run())
