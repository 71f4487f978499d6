// SPDX-License-Identifier: Apache-2.0

#include "nsrun_rootfs.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t pending;

static void remember(int signal) { pending = signal; }

void nsrun_rootfs_catch_signals(void) {
  static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
  sigset_t wanted;
  sigemptyset(&wanted);
  for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
    struct sigaction action = {0};
    if (sigaction(caught[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    // Without SA_RESTART: a wait for a tool must come back to notice the flag.
    action.sa_handler = remember;
    action.sa_flags = 0;
    sigemptyset(&action.sa_mask);
    sigaction(caught[i], &action, NULL);
    sigaddset(&wanted, caught[i]);
  }
  // A mask is inherited: from a caller that starts programs off a thread with signals blocked, say.
  sigprocmask(SIG_UNBLOCK, &wanted, NULL);
}

int nsrun_rootfs_pending_signal(void) { return pending; }

const volatile int *nsrun_rootfs_pending(void) { return &pending; }

void nsrun_rootfs_die_of(int signal_number) {
  signal(signal_number, SIG_DFL);
  // A program that watches over another has them all blocked.
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal_number);
  sigprocmask(SIG_UNBLOCK, &only, NULL);
  raise(signal_number);
  _exit(128 + signal_number);
}
