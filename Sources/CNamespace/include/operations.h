// SPDX-License-Identifier: Apache-2.0
//
// What a step can do: the one list of operations. The enumeration, the verbs' declarations and the executor's table
// are made of it.
#pragma once

/// X(name, verb, MOUNTS for one that mounts something on the step's target or PLAIN, what of the host or the root it finds
/// that the step itself does not say: NOTHING, the SOURCE, the LAYERS of the list, what is at the TARGET, CANDIDATES in
/// the list). The comments name the fields of `nsrun_step` that it reads.
#define NSRUN_OPERATIONS(X) \
    /* value: CLONE_NEW* flags */ \
    X(UNSHARE, nsrun_unshare, PLAIN, NOTHING) \
    /* fd, value: CLONE_NEW* type */ \
    X(SETNS, nsrun_setns, PLAIN, NOTHING) \
    /* target: the group's name, source: the directory where its processes meet, value: its CLONE_NEW*, */ \
    /* value2: the step after those that set it up, and that are left out where it is there */ \
    X(JOIN, nsrun_join, PLAIN, NOTHING) \
    /* value: CLONE_NEW*, source: the root in words, data: the steps that set the group up, a line each; */ \
    /* others can join from here on */ \
    X(SHARE, nsrun_share, PLAIN, NOTHING) \
    /* target: path on the host, data: text, in one write */ \
    X(WRITE, nsrun_write_once, PLAIN, NOTHING) \
    /* fd: blocks until a byte or end of file can be read */ \
    X(AWAIT, nsrun_await_descriptor, PLAIN, NOTHING) \
    /* data: how many of each kind */ \
    X(LIMIT_NAMESPACES, nsrun_limit_namespaces, PLAIN, NOTHING) \
    /* value: CLONE_NEW*, source, data: the id maps of users and groups */ \
    X(NEST, nsrun_nest, PLAIN, NOTHING) \
    /* value: what the launcher is to do, an NSRUN_REPORT_WANTS_*; waits for it */ \
    X(REQUEST, nsrun_request, PLAIN, NOTHING) \
    /* value: MS_SLAVE or MS_PRIVATE, of every mount */ \
    X(PROPAGATION, nsrun_propagation, PLAIN, NOTHING) \
    /* data */ \
    X(HOSTNAME, nsrun_hostname, PLAIN, NOTHING) \
    /* brings lo up */ \
    X(LOOPBACK, nsrun_loopback, PLAIN, NOTHING) \
    /* list: internet addresses that become unreachable */ \
    X(FORBID_ADDRESSES, nsrun_forbid_addresses, PLAIN, NOTHING) \
    /* fd: to the relay, data: struct nsrun_endpoint[], length: where this network listens for it */ \
    X(RELAY, nsrun_relay, PLAIN, NOTHING) \
    /* target: made on the host where it is missing, flags */ \
    X(HOST_DIRECTORY, nsrun_host_directory, PLAIN, NOTHING) \
    /* target: an empty file made on the host where nothing is, or with NSRUN_DIRECTORY_ONLY a directory */ \
    X(HOST_PLACE, nsrun_host_place, PLAIN, NOTHING) \
    /* the new root is the host's own */ \
    X(ROOT_HOST, nsrun_root_host, PLAIN, NOTHING) \
    /* the new root is an empty tmpfs */ \
    X(ROOT_TMPFS, nsrun_root_tmpfs, PLAIN, NOTHING) \
    /* the root is that of the prepared world that this process has a copy of; list: places whose mounts are */ \
    /* held, for PUT_BACK */ \
    X(ROOT_PREPARED, nsrun_root_prepared, PLAIN, NOTHING) \
    /* target: what was mounted there in the prepared world is again; value: its number */ \
    X(PUT_BACK, nsrun_put_back, MOUNTS, NOTHING) \
    /* fd: where the world goes that has been made; list: places that become read-only, for each run has its */ \
    /* own there; list2: places that must not be in those; ends the process */ \
    X(KEEP, nsrun_keep, PLAIN, NOTHING) \
    /* source: its name, fd: where the device goes to, or with flags the mount */ \
    X(IMAGE, nsrun_image, MOUNTS, NOTHING) \
    /* source or fd, target, flags; target "/" replaces the root */ \
    X(BIND, nsrun_bind, MOUNTS, SOURCE) \
    /* target, mode, value: bytes or 0 */ \
    X(TMPFS, nsrun_tmpfs, MOUNTS, NOTHING) \
    /* target */ \
    X(PROC, nsrun_proc, MOUNTS, NOTHING) \
    /* target */ \
    X(DEVPTS, nsrun_devpts, MOUNTS, NOTHING) \
    /* target */ \
    X(MQUEUE, nsrun_mqueue, MOUNTS, NOTHING) \
    /* list: directories of the host's, to be mounted by the next one */ \
    X(HOLD, nsrun_hold_trees, PLAIN, NOTHING) \
    /* list: the same ones, list2: the target of each, flags */ \
    X(PLACE_HELD, nsrun_place_held, MOUNTS, NOTHING) \
    /* on /sys, of this process's network namespace; list: what is mounted on the one that is there, list2: */ \
    /* directories of that, which become empty where there can be no other; flags: in the root that was */ \
    /* entered */ \
    X(SYSFS, nsrun_sysfs, MOUNTS, NOTHING) \
    /* target, list: records for binfmt_misc's `register` */ \
    X(BINFMT, nsrun_binfmt, MOUNTS, NOTHING) \
    /* target, list: lower layers (uppermost first), source: upper, data: work, list2: further options, */ \
    /* name and value in turn */ \
    X(OVERLAY, nsrun_overlay, MOUNTS, LAYERS) \
    /* list: files and directories that are made again where their group is not mapped */ \
    X(ADOPT, nsrun_adopt, MOUNTS, NOTHING) \
    /* target: a place, covered; or, where list has patterns, what fits them below it is, for which it is called source */ \
    X(HIDE, nsrun_hide_paths, PLAIN, NOTHING) \
    /* target: a directory, list: files that it shall have, in a layer in memory */ \
    X(COMPLETE, nsrun_complete, MOUNTS, TARGET) \
    /* target, fd or data, mode: an ordinary file made in the root */ \
    X(FILE, nsrun_file, PLAIN, NOTHING) \
    /* target, fd or data, mode, flags: a file in memory, bound */ \
    X(BIND_DATA, nsrun_bind_data, MOUNTS, NOTHING) \
    /* target, data: the file's own text with data before it, bound */ \
    X(PREPEND, nsrun_prepend, MOUNTS, TARGET) \
    /* target: the root's, list: names of libraries in the cache's order, list2: their paths, data: an */ \
    /* int32_t each with its flags; shown with these before its own */ \
    X(LINKER_CACHE, nsrun_linker_cache, MOUNTS, TARGET) \
    /* list: candidates for the C library, value: major << 32 | minor */ \
    X(NEED_GLIBC, nsrun_need_glibc, MOUNTS, CANDIDATES) \
    /* source: text of the link, target */ \
    X(SYMLINK, nsrun_symlink, PLAIN, NOTHING) \
    /* source: text of a link in memory, bound over target, be that a link itself */ \
    X(BIND_LINK, nsrun_bind_link, MOUNTS, TARGET) \
    /* target, mode */ \
    X(DIRECTORY, nsrun_directory, PLAIN, NOTHING) \
    /* target, mode */ \
    X(CHMOD, nsrun_chmod, PLAIN, NOTHING) \
    /* target */ \
    X(REMOUNT_RO, nsrun_remount_read_only, MOUNTS, NOTHING) \
    /* target */ \
    X(LOCK_FILE, nsrun_lock_file, MOUNTS, NOTHING) \
    /* list: files, read before they are asked for; the first that is there counts, and the one of list2 */ \
    /* that belongs to it */ \
    X(READ_AHEAD, nsrun_read_ahead, MOUNTS, NOTHING) \
    /* pivot_root into the new root */ \
    X(ENTER, nsrun_enter, PLAIN, NOTHING) \
    /* list: candidates, the last must succeed; list2: "PWD=..." of each */ \
    X(CHDIR, nsrun_chdir, PLAIN, NOTHING) \
    /* number: RLIMIT_*, value: soft, value2: hard, flags */ \
    X(RLIMIT, nsrun_rlimit, PLAIN, NOTHING) \
    /* value: uid, value2: gid */ \
    X(IDS, nsrun_ids, PLAIN, NOTHING) \
    /* fd, value: the descriptor that becomes it */ \
    X(REDIRECT, nsrun_redirect, PLAIN, NOTHING) \
    /* setsid */ \
    X(SESSION, nsrun_session, PLAIN, NOTHING) \
    /* setpgid */ \
    X(PROCESS_GROUP, nsrun_process_group, PLAIN, NOTHING) \
    /* a session keyring of its own */ \
    X(KEYRING, nsrun_keyring, PLAIN, NOTHING) \
    /* value: PER_* */ \
    X(PERSONALITY, nsrun_personality, PLAIN, NOTHING) \
    /* value: the signal when the parent goes */ \
    X(DEATH_SIGNAL, nsrun_death_signal, PLAIN, NOTHING) \
    X(NO_NEW_PRIVS, nsrun_no_new_privs, PLAIN, NOTHING) \
    /* data: struct nsrun_capabilities */ \
    X(CAPABILITIES, nsrun_capabilities, PLAIN, NOTHING) \
    X(ASSERT_NO_USERNS, nsrun_assert_no_userns, PLAIN, NOTHING) \
    /* by Landlock; value: NSRUN_SCOPE_*, list: sockets that are reached, or directories of them, or NULL */ \
    X(SCOPE, nsrun_scope, PLAIN, NOTHING) \
    /* data, length: struct sock_filter[]; installed by the stub, where there is one */ \
    X(SECCOMP, nsrun_seccomp, PLAIN, NOTHING) \
    /* value: the number under which the command's process finds the channel */ \
    X(SHARE_CHANNEL, nsrun_share_channel, PLAIN, NOTHING) \
    /* the memory for the program that starts the command, see stub.c */ \
    X(STUB, nsrun_open_stub, PLAIN, NOTHING) \
    /* list: candidates for the program's path */ \
    X(EXEC, nsrun_execute, PLAIN, NOTHING)
