// SPDX-License-Identifier: Apache-2.0
//
// What a step can do: the one list of operations. The enumeration, the verbs' declarations and the executor's table
// are made of it.
#pragma once

/// X(name, verb, MOUNTS for one that mounts something on the step's target or PLAIN). The comments name the fields of
/// `nsrun_step` that it reads.
#define NSRUN_OPERATIONS(X) \
    /* value: CLONE_NEW* flags */ \
    X(UNSHARE, nsrun_unshare, PLAIN) \
    /* fd, value: CLONE_NEW* type */ \
    X(SETNS, nsrun_setns, PLAIN) \
    /* target: the group's name, source: the directory where its processes meet, value: its CLONE_NEW*, */ \
    /* value2: the step after those that set it up, and that are left out where it is there */ \
    X(JOIN, nsrun_join, PLAIN) \
    /* value: CLONE_NEW*, source: the root in words, data: the steps that set the group up, a line each; */ \
    /* others can join from here on */ \
    X(SHARE, nsrun_share, PLAIN) \
    /* target: path on the host, data: text, in one write */ \
    X(WRITE, nsrun_write_once, PLAIN) \
    /* fd: blocks until a byte or end of file can be read */ \
    X(AWAIT, nsrun_await_descriptor, PLAIN) \
    /* data: how many of each kind */ \
    X(LIMIT_NAMESPACES, nsrun_limit_namespaces, PLAIN) \
    /* value: CLONE_NEW*, source, data: the id maps of users and groups */ \
    X(NEST, nsrun_nest, PLAIN) \
    /* value: what the launcher is to do, an NSRUN_REPORT_WANTS_*; waits for it */ \
    X(REQUEST, nsrun_request, PLAIN) \
    /* value: MS_SLAVE or MS_PRIVATE, of every mount */ \
    X(PROPAGATION, nsrun_propagation, PLAIN) \
    /* data */ \
    X(HOSTNAME, nsrun_hostname, PLAIN) \
    /* brings lo up */ \
    X(LOOPBACK, nsrun_loopback, PLAIN) \
    /* list: internet addresses that become unreachable */ \
    X(FORBID_ADDRESSES, nsrun_forbid_addresses, PLAIN) \
    /* target: made on the host where it is missing, flags */ \
    X(HOST_DIRECTORY, nsrun_host_directory, PLAIN) \
    /* the new root is the host's own */ \
    X(ROOT_HOST, nsrun_root_host, PLAIN) \
    /* the new root is an empty tmpfs */ \
    X(ROOT_TMPFS, nsrun_root_tmpfs, PLAIN) \
    /* source: its name, fd: where the device goes to, or with flags the mount */ \
    X(IMAGE, nsrun_image, MOUNTS) \
    /* source or fd, target, flags; target "/" replaces the root */ \
    X(BIND, nsrun_bind, MOUNTS) \
    /* target, mode, value: bytes or 0 */ \
    X(TMPFS, nsrun_tmpfs, MOUNTS) \
    /* target */ \
    X(PROC, nsrun_proc, MOUNTS) \
    /* target */ \
    X(DEVPTS, nsrun_devpts, MOUNTS) \
    /* target */ \
    X(MQUEUE, nsrun_mqueue, MOUNTS) \
    /* list: directories of the host's, to be mounted by the next one */ \
    X(HOLD, nsrun_hold_trees, PLAIN) \
    /* list: the same ones, list2: the target of each, flags */ \
    X(PLACE_HELD, nsrun_place_held, MOUNTS) \
    /* on /sys, of this process's network namespace; list: what is mounted on the one that is there, list2: */ \
    /* directories of that, which become empty where there can be no other; flags: in the root that was */ \
    /* entered */ \
    X(SYSFS, nsrun_sysfs, MOUNTS) \
    /* target, list: records for binfmt_misc's `register` */ \
    X(BINFMT, nsrun_binfmt, MOUNTS) \
    /* target, list: lower layers (uppermost first), source: upper, data: work, list2: further options, */ \
    /* name and value in turn */ \
    X(OVERLAY, nsrun_overlay, MOUNTS) \
    /* list: files and directories that are made again where their group is not mapped */ \
    X(ADOPT, nsrun_adopt, MOUNTS) \
    /* target: a directory, list: files that it shall have, in a layer in memory */ \
    X(COMPLETE, nsrun_complete, MOUNTS) \
    /* target, fd or data, mode: an ordinary file made in the root */ \
    X(FILE, nsrun_file, PLAIN) \
    /* target, fd or data, mode, flags: a file in memory, bound */ \
    X(BIND_DATA, nsrun_bind_data, MOUNTS) \
    /* target, data: the file's own text with data before it, bound */ \
    X(PREPEND, nsrun_prepend, MOUNTS) \
    /* target: the root's, list: names of libraries in the cache's order, list2: their paths, data: an */ \
    /* int32_t each with its flags; shown with these before its own */ \
    X(LINKER_CACHE, nsrun_linker_cache, MOUNTS) \
    /* list: candidates for the C library, value: major << 32 | minor */ \
    X(NEED_GLIBC, nsrun_need_glibc, MOUNTS) \
    /* source: text of the link, target */ \
    X(SYMLINK, nsrun_symlink, PLAIN) \
    /* source: text of a link in memory, bound over target, be that a link itself */ \
    X(BIND_LINK, nsrun_bind_link, MOUNTS) \
    /* target, mode */ \
    X(DIRECTORY, nsrun_directory, PLAIN) \
    /* target, mode */ \
    X(CHMOD, nsrun_chmod, PLAIN) \
    /* target */ \
    X(REMOUNT_RO, nsrun_remount_read_only, MOUNTS) \
    /* target */ \
    X(LOCK_FILE, nsrun_lock_file, MOUNTS) \
    /* list: files, read before they are asked for; the first that is there counts, and the one of list2 */ \
    /* that belongs to it */ \
    X(READ_AHEAD, nsrun_read_ahead, MOUNTS) \
    /* pivot_root into the new root */ \
    X(ENTER, nsrun_enter, PLAIN) \
    /* list: candidates, the last must succeed; list2: "PWD=..." of each */ \
    X(CHDIR, nsrun_chdir, PLAIN) \
    /* number: RLIMIT_*, value: soft, value2: hard, flags */ \
    X(RLIMIT, nsrun_rlimit, PLAIN) \
    /* value: uid, value2: gid */ \
    X(IDS, nsrun_ids, PLAIN) \
    /* fd, value: the descriptor that becomes it */ \
    X(REDIRECT, nsrun_redirect, PLAIN) \
    /* setsid */ \
    X(SESSION, nsrun_session, PLAIN) \
    /* setpgid */ \
    X(PROCESS_GROUP, nsrun_process_group, PLAIN) \
    /* a session keyring of its own */ \
    X(KEYRING, nsrun_keyring, PLAIN) \
    /* value: PER_* */ \
    X(PERSONALITY, nsrun_personality, PLAIN) \
    /* value: the signal when the parent goes */ \
    X(DEATH_SIGNAL, nsrun_death_signal, PLAIN) \
    X(NO_NEW_PRIVS, nsrun_no_new_privs, PLAIN) \
    /* data: struct nsrun_capabilities */ \
    X(CAPABILITIES, nsrun_capabilities, PLAIN) \
    X(ASSERT_NO_USERNS, nsrun_assert_no_userns, PLAIN) \
    /* by Landlock; value: NSRUN_SCOPE_* */ \
    X(SCOPE, nsrun_scope, PLAIN) \
    /* data, length: struct sock_filter[]; installed by the stub, where there is one */ \
    X(SECCOMP, nsrun_seccomp, PLAIN) \
    /* value: the number under which the command's process finds the channel */ \
    X(SHARE_CHANNEL, nsrun_share_channel, PLAIN) \
    /* the memory for the program that starts the command, see stub.c */ \
    X(STUB, nsrun_open_stub, PLAIN) \
    /* list: candidates for the program's path */ \
    X(EXEC, nsrun_execute, PLAIN)
