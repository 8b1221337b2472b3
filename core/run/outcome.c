/* outcome.c - how a run went: as a number for the shell, and for people. */
#include <inttypes.h>
#include <string.h>

#include "gnrrun/engine.h"

int gn_run_exit_status(const struct gn_run *run)
{
    switch (run->state) {
    case GN_SUCCEEDED:
        return 0;
    case GN_FAILED:
        if (strcmp(run->reason, "exit") == 0 || strcmp(run->reason, "signal") == 0 ||
            (run->members && run->code))
            return run->code;
        return 100;
    case GN_STOPPED:
        return strcmp(run->reason, "cancelled") == 0 ? 130 : run->code;
    case GN_TIMEDOUT:
        return 107;
    case GN_LOST:
        return 100;
    case GN_CREATED:
    case GN_SHIPPING:
    case GN_STARTING:
    case GN_QUEUED:
    case GN_RUNNING:
    case GN_STOPPING:
        break;
    }
    return -1;
}

/* What a batch queue did to it (queue.sh); NULL: that was no queue. */
static const char *lost_in_queue(const char *reason)
{
    static const char *const what[][2] = {
        {"node-failed", "its node failed"},
        {"memory", "it took more memory than it had asked for"},
        {"timeout", "the queue's own time limit ended it"},
        {"cancelled", "its job was cancelled by somebody else"},
        {"preempted", "its job had to make room for another"},
        {"vanished", "the queue knows its job no more, and it never started"},
        {"not-started", "its sweep ended before its turn came"},
        {"not-submitted", "nobody knows whether its job was ever submitted"},
    };

    for (size_t i = 0; i < sizeof what / sizeof *what; i++)
        if (strcmp(reason, what[i][0]) == 0)
            return what[i][1];
    return NULL;
}

void gn_run_outcome(const struct gn_run *run, struct gn_buf *out)
{
    if (run->members && gn_state_over(run->state) && run->members_over) {
        gn_buf_addf(out, "%" PRId64 " of %" PRId64 " succeeded", run->members_ok, run->members);
        return;
    }
    switch (run->state) {
    case GN_FAILED:
        if (strcmp(run->reason, "exit") == 0)
            gn_buf_addf(out, "failed with status %d", run->code);
        else if (strcmp(run->reason, "signal") == 0)
            gn_buf_addf(out, "killed by %s", run->sig);
        else if (strcmp(run->reason, "setup") == 0)
            gn_buf_addf(out, "setup failed with status %d", run->code);
        else if (strcmp(run->reason, "not-started") == 0 || strcmp(run->reason, "not-made") == 0)
            gn_buf_adds(out, "never started");
        else
            gn_buf_addf(out, "failed (%s)", run->reason);
        break;
    case GN_TIMEDOUT:
        gn_buf_adds(out, "ended at its time limit");
        break;
    case GN_LOST:
        if (strcmp(run->reason, "reboot") == 0)
            gn_buf_adds(out, "lost: the machine was restarted");
        else if (strcmp(run->reason, "machine-gone") == 0)
            gn_buf_adds(out, "lost: its machine is gone");
        else if (strcmp(run->reason, "gone") == 0)
            gn_buf_adds(out, "lost: its folder over there is gone");
        else if (lost_in_queue(run->reason))
            gn_buf_addf(out, "lost: %s", lost_in_queue(run->reason));
        else
            gn_buf_addf(out, "lost: it was killed from outside%s%s", *run->reason ? ", " : "",
                        run->reason);
        break;
    case GN_STOPPED:
        gn_buf_adds(out, strcmp(run->reason, "cancelled") == 0 ? "cancelled before it started"
                                                               : "stopped");
        break;
    case GN_CREATED:
    case GN_SHIPPING:
    case GN_STARTING:
    case GN_QUEUED:
    case GN_RUNNING:
    case GN_STOPPING:
    case GN_SUCCEEDED:
        gn_buf_adds(out, gn_state_name(run->state));
        break;
    }
}
