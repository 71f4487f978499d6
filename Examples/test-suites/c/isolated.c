// SPDX-License-Identifier: Apache-2.0
//
// Looks around from the inside: exits with 0 if this test is wrapped as `--preset test` promises.
// Named a file of the source tree, it reads that, too.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int wrong;

static void expect(int condition, const char *what, const char *detail)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", what, detail);
    wrong = 1;
}

// The source tree may lie below the directory; nothing else does. Names the first that does.
static void expect_empty(const char *directory, const char *tree)
{
    DIR *stream = opendir(directory);
    if (!stream) {
        expect(0, directory, "cannot be read");
        return;
    }
    struct dirent *entry;
    int seen_wrong = 0;
    while (!seen_wrong && (entry = readdir(stream))) {
        char path[PATH_MAX];
        size_t length = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        int on_the_way = strncmp(tree, path, length) == 0 && strchr("/", tree[length]);
        int is_dot = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        seen_wrong = !on_the_way && !is_dot;
        expect(!seen_wrong, "is not private", path);
    }
    closedir(stream);
}

static void expect_limit(int resource, rlim_t most, const char *name)
{
    struct rlimit limit;
    getrlimit(resource, &limit);
    expect(limit.rlim_cur <= most, "has no limit", name);
}

int main(int argc, char **argv)
{
    char tree[PATH_MAX] = "";
    expect(getcwd(tree, sizeof tree) != NULL, "is nowhere", "the current directory");
    expect_empty("/tmp", tree);
    expect_empty("/var/tmp", tree);
    expect_empty("/dev/shm", tree);
    const char *home = getenv("HOME");
    expect_empty(home ? home : "HOME, which is unset,", tree);

    char name[256] = "";
    gethostname(name, sizeof name - 1);
    expect(strcmp(name, "test") == 0, "is the host's name", name);

    for (struct if_nameindex *each = if_nameindex(); each && each->if_index; each++)
        expect(strcmp(each->if_name, "lo") == 0, "is the host's network", each->if_name);

    expect_limit(RLIMIT_NPROC, 4096, "the number of processes");
    expect_limit(RLIMIT_DATA, (rlim_t)8 << 30, "memory");

    expect(open("written", O_WRONLY | O_CREAT, 0666) >= 0, "cannot be written", tree);
    if (argc > 1)
        expect(access(argv[1], R_OK) == 0, "cannot be read", argv[1]);
    return wrong;
}
