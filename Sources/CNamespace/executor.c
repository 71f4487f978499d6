// SPDX-License-Identifier: Apache-2.0
//
// Walks the steps of a plan. One step, one verb; a failing step ends the walk.

#define _GNU_SOURCE
#include <string.h>

#include "executor.h"

const char *nsrun_report_text(const struct nsrun_report *report) { return report->text; }

/// What a step does.
static const struct {
    nsrun_verb *verb;
    enum { PLAIN, MOUNTS } manner;
} operations[] = {
#define NSRUN_OPERATION(name, verb, manner, finds) [NSRUN_OP_##name] = {verb, manner},
    NSRUN_OPERATIONS(NSRUN_OPERATION)
#undef NSRUN_OPERATION
};

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
        w->mounts_here = op < NSRUN_OP_COUNT && operations[op].manner == MOUNTS;
        const bool trace = w->plan->flags & NSRUN_TRACE;
        const int64_t before = trace ? nsrun_now() : 0;
        const int error = op < NSRUN_OP_COUNT ? operations[op].verb(w, &w->plan->steps[index]) : -EINVAL;
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
