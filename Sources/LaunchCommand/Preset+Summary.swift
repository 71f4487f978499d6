// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

extension Preset {
    /// What it stands for, for the manual page: mostly other options.
    var summary: StaticString {
        switch self {
        case .host: "What holds without --rootfs."
        case .rootfs: "What holds with --rootfs, which must be given."
        case .toolbox:
            """
            A rootfs with your own surroundings: --share-pid --home --cwd --host-root, the host's /dev, /tmp, \
            /var/tmp and removable media, $XDG_RUNTIME_DIR and the sockets of the desktop session \
            and of system services, the names of your groups; hosts, host.conf, localtime, \
            resolv.conf, machine-id and timezone of /etc follow the host's. Without a command your \
            shell is started. With the same root and --overlay-dir a second one joins the first. What the host lacks is left out; --explain and --verbose say what.
            """
        case .action:
            """
            An action of a build in the rootfs: --writable --network none --die-with-parent and an \
            empty environment. Usually with --bind DIR /tmp, --chdir and --setenv.
            """
        case .hpc:
            """
            A rank of a job in a rootfs: --share-pid --home --cwd, the host's /dev, /dev/shm, /tmp and \
            /var/tmp, and the directories that SLURM_*, PMI_*, PMIX_*, SCRATCH and TMPDIR name. \
            Nothing of nsrun stays: the program has its process, with descriptors, limits and \
            binding as the resource manager set them.
            """
        case .sandbox:
            """
            A program that nobody vouches for: the host's programs (/usr, /bin, /lib, /etc, /opt and the like) read-only, \
            the current directory, which can be written to, and nothing else of the host's; $HOME is empty, in memory. \
            --network none --disable-userns --seccomp-profile default --clean-env --die-with-parent --unshare-ipc \
            --unshare-uts --unshare-cgroup --hostname sandbox --rlimit nproc=4096 --rlimit data=8G. In the home directory \
            itself it does not start.
            """
        case .test:
            """
            A test suite: $HOME is empty, in memory, but the source tree (the directory of version \
            control above the current one, else that one) is bound at its place, and as an overlay \
            in memory with --ephemeral; --network none --hostname test --timeout 10m --kill-after \
            10 --die-with-parent --rlimit nproc=4096 --rlimit data=8G, or less where you have less; \
            TMPDIR and XDG_* directories are unset. Programs built with AddressSanitizer want \
            --rlimit data=unlimited.
            """
        }
    }
}
