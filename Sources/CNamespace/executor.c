// SPDX-License-Identifier: Apache-2.0
//
// Walks the steps of a plan. One step, one verb; a failing step ends the walk.

#define _GNU_SOURCE
#include <string.h>

#include "executor.h"

const char *nsrun_report_text(const struct nsrun_report *report) { return report->text; }

/// What a step does, and what its place is looked up for.
static const struct {
    nsrun_verb *verb;
    bool mounts;   ///< something on its target
} operations[] = {
    [NSRUN_OP_UNSHARE] = {nsrun_unshare},
    [NSRUN_OP_JOIN] = {nsrun_join},
    [NSRUN_OP_SHARE] = {nsrun_share},
    [NSRUN_OP_SETNS] = {nsrun_setns},
    [NSRUN_OP_WRITE] = {nsrun_write_once},
    [NSRUN_OP_AWAIT] = {nsrun_await_descriptor},
    [NSRUN_OP_LIMIT_NAMESPACES] = {nsrun_limit_namespaces},
    [NSRUN_OP_NEST] = {nsrun_nest},
    [NSRUN_OP_REQUEST] = {nsrun_request},
    [NSRUN_OP_PROPAGATION] = {nsrun_propagation},
    [NSRUN_OP_HOSTNAME] = {nsrun_hostname},
    [NSRUN_OP_LOOPBACK] = {nsrun_loopback},
    [NSRUN_OP_FORBID_ADDRESSES] = {nsrun_forbid_addresses},
    [NSRUN_OP_HOST_DIRECTORY] = {nsrun_host_directory},
    [NSRUN_OP_ROOT_HOST] = {nsrun_root_host},
    [NSRUN_OP_ROOT_TMPFS] = {nsrun_root_tmpfs},
    [NSRUN_OP_IMAGE] = {nsrun_image, .mounts = true},
    [NSRUN_OP_BIND] = {nsrun_bind, .mounts = true},
    [NSRUN_OP_TMPFS] = {nsrun_tmpfs, .mounts = true},
    [NSRUN_OP_PROC] = {nsrun_proc, .mounts = true},
    [NSRUN_OP_DEVPTS] = {nsrun_devpts, .mounts = true},
    [NSRUN_OP_MQUEUE] = {nsrun_mqueue, .mounts = true},
    [NSRUN_OP_HOLD] = {nsrun_hold_trees},
    [NSRUN_OP_PLACE_HELD] = {nsrun_place_held, .mounts = true},
    [NSRUN_OP_SYSFS] = {nsrun_sysfs, .mounts = true},
    [NSRUN_OP_BINFMT] = {nsrun_binfmt, .mounts = true},
    [NSRUN_OP_OVERLAY] = {nsrun_overlay, .mounts = true},
    [NSRUN_OP_ADOPT] = {nsrun_adopt, .mounts = true},
    [NSRUN_OP_COMPLETE] = {nsrun_complete, .mounts = true},
    [NSRUN_OP_FILE] = {nsrun_file},
    [NSRUN_OP_BIND_DATA] = {nsrun_bind_data, .mounts = true},
    [NSRUN_OP_PREPEND] = {nsrun_prepend, .mounts = true},
    [NSRUN_OP_LINKER_CACHE] = {nsrun_linker_cache, .mounts = true},
    [NSRUN_OP_NEED_GLIBC] = {nsrun_need_glibc, .mounts = true},
    [NSRUN_OP_SYMLINK] = {nsrun_symlink},
    [NSRUN_OP_BIND_LINK] = {nsrun_bind_link, .mounts = true},
    [NSRUN_OP_DIRECTORY] = {nsrun_directory},
    [NSRUN_OP_CHMOD] = {nsrun_chmod},
    [NSRUN_OP_REMOUNT_RO] = {nsrun_remount_read_only, .mounts = true},
    [NSRUN_OP_LOCK_FILE] = {nsrun_lock_file, .mounts = true},
    [NSRUN_OP_READ_AHEAD] = {nsrun_read_ahead, .mounts = true},
    [NSRUN_OP_ENTER] = {nsrun_enter},
    [NSRUN_OP_CHDIR] = {nsrun_chdir},
    [NSRUN_OP_RLIMIT] = {nsrun_rlimit},
    [NSRUN_OP_IDS] = {nsrun_ids},
    [NSRUN_OP_REDIRECT] = {nsrun_redirect},
    [NSRUN_OP_SESSION] = {nsrun_session},
    [NSRUN_OP_PROCESS_GROUP] = {nsrun_process_group},
    [NSRUN_OP_KEYRING] = {nsrun_keyring},
    [NSRUN_OP_PERSONALITY] = {nsrun_personality},
    [NSRUN_OP_DEATH_SIGNAL] = {nsrun_death_signal},
    [NSRUN_OP_NO_NEW_PRIVS] = {nsrun_no_new_privs},
    [NSRUN_OP_CAPABILITIES] = {nsrun_capabilities},
    [NSRUN_OP_SCOPE] = {nsrun_scope},
    [NSRUN_OP_ASSERT_NO_USERNS] = {nsrun_assert_no_userns},
    [NSRUN_OP_SECCOMP] = {nsrun_seccomp},
    [NSRUN_OP_SHARE_CHANNEL] = {nsrun_share_channel},
    [NSRUN_OP_STUB] = {nsrun_open_stub},
    [NSRUN_OP_EXEC] = {nsrun_execute},
};

_Static_assert(sizeof operations / sizeof operations[0] == NSRUN_OP_COUNT, "an operation has no verb");

bool nsrun_has_verb(uint32_t op) { return op < NSRUN_OP_COUNT && operations[op].verb != NULL; }

static void send_time(struct nsrun_world *w, size_t index, int64_t nanoseconds) {
    w->report->head = (struct nsrun_report_head){
        .kind = NSRUN_REPORT_STEP,
        .step = (int32_t)index,
        .value = nanoseconds > INT32_MAX ? INT32_MAX : (int32_t)nanoseconds,
        .error = w->passed_over,
    };
    nsrun_send(w);
}

/// A refusal after the newer calls were refused: which it was that made this the classic way.
static void name_lacking(struct nsrun_world *w, int error) {
    if (w->lacking == NULL || !nsrun_is_lacking(error) || w->report->head.length > 0)
        return;
    w->report->head.length = (uint32_t)strlen(w->lacking);
    memcpy(w->report->text, w->lacking, w->report->head.length);
}

int nsrun_walk(struct nsrun_world *w, size_t from, size_t to) {
    for (size_t index = from; index < to; index++) {
        const uint32_t op = w->plan->steps[index].op;
        w->call = NSRUN_CALL_STEP;
        w->passed_over = 0;
        w->parent_mode = w->plan->steps[index].parent_mode;
        w->mounts_here = nsrun_has_verb(op) && operations[op].mounts;
        const bool trace = w->plan->flags & NSRUN_TRACE;
        const int64_t before = trace ? nsrun_now() : 0;
        int error = nsrun_has_verb(op) ? operations[op].verb(w, &w->plan->steps[index]) : -EINVAL;
        if (trace && error == 0)
            send_time(w, index, nsrun_now() - before);
        if (error == 0 && w->next > index + 1)
            index = w->next - 1;
        if (error < 0) {
            struct nsrun_report_head *report = &w->report->head;
            report->kind = NSRUN_REPORT_FAILED;
            report->step = (int32_t)index;
            report->error = -error;
            report->call = w->call;
            if (w->call != NSRUN_CALL_RUN && w->call != NSRUN_CALL_INTERPRETER
                && w->call != NSRUN_CALL_OTHER_LINK && w->call != NSRUN_CALL_OTHER_GROUP
                && w->call != NSRUN_CALL_LIBRARY && w->call != NSRUN_CALL_NO_EXECUTE)
                report->length = 0;
            name_lacking(w, error);
            return error;
        }
    }
    return 0;
}
