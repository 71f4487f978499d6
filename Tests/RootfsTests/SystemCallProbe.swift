// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A program that makes one system call by its number, through any table that the processor has,
/// and prints what the kernel answered: 0 and above, or an error number below 0.
enum SystemCallProbe {
    /// The program, compiled once.
    private static let program = Result { try compile() }

    /// Runs it in the rootfs, in a directory with one file, and then a script.
    static func run(
        _ table: SystemCallTable, _ number: Int, _ arguments: [String], _ options: [String],
        then script: String = ""
    ) throws -> Outcome {
        let folder = try TemporaryDirectory()
        let probe = URL(filePath: folder / "probe")
        try program.get().write(to: probe)
        chmod(probe.path, 0o755)
        let words = ([table.rawValue, String(number)] + arguments).joined(separator: " ")
        return try inRoot(
            "mkdir /tmp/work; cd /tmp/work; : >file; /tmp/probe \(words); \(script)",
            ["--ro-bind", probe.path, "/tmp/probe"] + options)
    }

    private static func compile() throws -> Data {
        let folder = try TemporaryDirectory()
        try folder.write(source, to: "probe.c")
        let made = try RootfsTests.run(
            ["cc", "-O1", "-static", "-o", folder / "probe", folder / "probe.c"])
        expect(made, exits: 0)
        return try Data(contentsOf: URL(filePath: folder / "probe"))
    }

    /// Arguments that are no numbers are texts, but for `header` and `data` of capset(2), and
    /// `descriptor`, that of the file called file. All of them lie where 32-bit pointers reach.
    private static let source = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <unistd.h>

        static char *low;

        static long keep(const void *bytes, size_t size) {
            char *place = low;
            memcpy(place, bytes, size);
            low += (size + 15) / 16 * 16;
            return (long)place;
        }

        static long value(const char *word) {
            static const unsigned header[] = {0x20080522, 0};
            static const unsigned data[] = {~0u, ~0u, 0, ~0u, ~0u, 0};
            char *end;
            long number = strtol(word, &end, 0);
            if (*end == '\\0') return number;
            if (strcmp(word, "header") == 0) return keep(header, sizeof header);
            if (strcmp(word, "data") == 0) return keep(data, sizeof data);
            if (strcmp(word, "descriptor") == 0) return open("file", O_RDONLY);
            return keep(word, strlen(word) + 1);
        }

        static long call(const char *table, long number, const long *v) {
        #ifdef __x86_64__
            if (strcmp(table, "i386") == 0) {
                long answer;
                __asm__ volatile("int $0x80"
                                 : "=a"(answer)
                                 : "a"(number), "b"(v[0]), "c"(v[1]), "d"(v[2]), "S"(v[3]), "D"(v[4])
                                 : "memory", "r8", "r9", "r10", "r11");
                return (int)answer;
            }
            if (strcmp(table, "x32") == 0) number |= 0x40000000;
        #endif
            long answer = syscall(number, v[0], v[1], v[2], v[3], v[4]);
            return answer < 0 ? -errno : answer;
        }

        int main(int argc, char **argv) {
            long values[5] = {0};
            int flags = MAP_PRIVATE | MAP_ANONYMOUS;
        #ifdef MAP_32BIT
            flags |= MAP_32BIT;
        #endif
            low = mmap(NULL, 65536, PROT_READ | PROT_WRITE, flags, -1, 0);
            for (int i = 3; i < argc && i < 8; i++) values[i - 3] = value(argv[i]);
            printf("%ld\\n", call(argv[1], atol(argv[2]), values));
            return 0;
        }
        """
}
