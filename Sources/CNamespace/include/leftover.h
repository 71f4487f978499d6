// SPDX-License-Identifier: Apache-2.0
//
// Mount points that a run makes in directories which outlast it. Its launcher takes them away when it has ended: what is
// still empty and as it was made, and nothing else.
//
// They are made with a time of last change that no file has by chance, and locked (flock(2)) for as long as a run needs
// them, so that others know them: a run that mounts on one that another has made locks it, too, and the last of them takes
// it away; who cannot do that gives it an ordinary time, and it stays.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// A mount point that a run has told of: its directory, a descriptor that holds its lock, and its name.
/// Takes it away unless it is used or has been changed. Closes both descriptors.
void nsrun_take_away(int directory, int place, const char *name);

#ifdef __cplusplus
}
#endif
