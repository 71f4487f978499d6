# SPDX-License-Identifier: Apache-2.0
"""The ways to launch that are tried: what decides which calls nsrun makes.

Words in braces stand for what the bench made (see `bench.Bench.places`): roots, folders, and descriptors that are
opened anew for each run.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    name: str
    words: list[str]
    # The folders of the bench in which a run makes places for mounts, for good: they are made anew.
    spoils: tuple[str, ...] = ()
    # Others hold the world before the run joins it.
    is_joined: bool = False
    # What the engine starts is traced by itself.
    traces_children: bool = True
    # An unharmed run comes first, and what it keeps in the home is there for each run.
    is_warm: bool = False
    # A sample has a tenth of its faults.
    is_slow: bool = False
    # Only where the bench has a place of this name.
    needs: str = ""
    # As root, for what only root can do. The launcher is tried as an ordinary user alone.
    as_root: bool = False


def _mode(name: str, *options: str, command: tuple[str, ...] = ("probe", "{host}"), **more) -> Mode:
    return Mode(name, ["{nsrun}", *options, "--", *command], **more)


_IN_TINY = ("--rootfs", "{tiny}")
_AT_ROOT = ("/bin/probe", "{host}")
_ON_HOST = ("{probe}", "{host}")

# The engines run glibc's programs only, so Debian's own tell of their world. No command is the last one: a shell
# executes that in its own place, and then nothing tells that it ended as it should.
_DEBIAN = (
    "/bin/sh", "-c",
    'echo "ran\t"; echo "ids\t$(id)"; echo "cwd\t$(pwd)"; echo "umask\t$(umask)"; '
    # Where the engine keeps its own is its own affair.
    'env | grep -v ^FAKECHROOT_EXCLUDE_PATH= | sort | sed "s/=/\t/; s,[^:]*/nsrun[^:]*,(cache),g"; '
    'for f in / /etc /tmp ~; do echo "directory $f\t$(ls -A $f | tr "\\n" " ")"; done; '
    'cat /etc/passwd | sed "s/^/passwd\t/"; echo "awk\t$(awk "BEGIN {{ print 1 }}")"; echo "end\t"',
)

_SINK = (
    *_IN_TINY, "--uid", "0", "--gid", "0", "--unshare-uts", "--hostname", "h", "--unshare-ipc", "--unshare-cgroup",
    "--mqueue", "/mq", "--rlimit", "nofile=64", "--timeout", "20", "--new-session", "--die-with-parent", "--dir", "/d",
    "--symlink", "x", "/d/l", "--tmpfs", "/t", "--perms", "700", "--dir", "/p", "--bind", "{home}", "/new/place",
    "--ro-bind", "{cwd}", "/t/ro", "--remount-ro", "/t", "--lock-file", "/etc/passwd", "--disable-userns",
    "--cap-add", "CAP_KILL", "--scope-abstract-af-unix-try", "--clean-env", "--setenv", "A", "b",
)
_DATA = (
    *_IN_TINY, "--home", "--cwd", "--file", "{text}", "/tmp/file", "--ro-bind-data", "{text2}", "/tmp/data",
    "--overlay-src", "{tiny}", "--tmp-overlay", "/root", "--host-root", "--info-fd", "{report}",
    "--json-status-fd", "{report2}", "--env-file", "{variables}", "--forward-signals", "--as-pid-1",
)
_BWRAP = (
    "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "{tiny}", "/usr", "--symlink", "usr/bin",
    "/bin", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/run/user/1", "--ro-bind", "/etc/passwd",
    "/etc/passwd", "--bind", "{home}", "{home}", "--setenv", "A", "b", "--unsetenv", "LANG", "--chdir", "/tmp",
    "--cap-drop", "ALL", "--ro-bind-try", "/nonexistent", "/x", "--remount-ro", "/", "--hostname", "flat",
)

_FAKECHROOT = ("--engine", "fakechroot", "--rootfs", "{debian}")
_PROOT = ("--engine", "proot", "--rootfs", "{debian}")

MODES = [
    _mode("default", *_IN_TINY),
    _mode("share-pid", *_IN_TINY, "--share-pid"),
    _mode("ephemeral", *_IN_TINY, "--ephemeral"),
    _mode("overlay-dir", *_IN_TINY, "--overlay-dir", "{cwd}/layer"),
    _mode("test", "--preset", "test", command=_ON_HOST),
    _mode("toolbox", "--preset", "toolbox", *_IN_TINY),
    _mode("hpc-first", "--preset", "hpc", *_IN_TINY, "--join", "first-{account}"),
    _mode("hpc-joiner", "--preset", "hpc", *_IN_TINY, "--join", "joiner-{account}", is_joined=True),
    _mode(
        "action", "--preset", "action", "--rootfs", "{input}", command=_AT_ROOT, spoils=("input",),
    ),
    _mode("net-none", *_IN_TINY, "--network", "none"),
    _mode("net-pasta", *_IN_TINY, "--network", "pasta"),
    _mode("fake-root", "--rootfs", "{own}", "--writable", "--fake-root", spoils=("own",)),
    _mode("map-auto", *_IN_TINY, "--map-auto"),
    _mode("squashfs", "--rootfs", "{squashfs}", command=_AT_ROOT),
    _mode("sink", *_SINK),
    _mode("data", *_DATA),
    Mode("bwrap", ["{bwrap}", *_BWRAP, "--", "/usr/bin/probe", "{host}"]),
    _mode("seccomp", *_IN_TINY, "--seccomp", "{filter}"),
    _mode("fakechroot", *_FAKECHROOT, command=_DEBIAN, needs="debian", is_warm=True),
    _mode("fakechroot-first", *_FAKECHROOT, command=_DEBIAN, needs="debian", is_slow=True),
    _mode("proot", *_PROOT, command=_DEBIAN, needs="proot", traces_children=False, is_slow=True),
]
