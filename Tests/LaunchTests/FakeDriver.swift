// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What `--nvidia` looks for on a host, made by the example's script: this machine has no such GPU.
struct FakeDriver {
    static let version = "999.12.34"
    let path: String
    private let folder: TemporaryDirectory

    #if arch(arm64)
        static let kind = "libc6,AArch64"
    #else
        static let kind = "libc6,x86-64"
    #endif

    /// `glibc`: the version of the C library that one of the libraries needs.
    init(in folder: TemporaryDirectory, version: String = version, glibc: String? = nil) throws {
        self.folder = folder
        path = folder / "driver"
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Examples/gpu/fake-driver.sh").standardized.path
        let made = try run([script, path, version] + (glibc.map { [$0] } ?? []))
        guard made.status == 0 else {
            throw Failure(description: "\(made)")
        }
    }

    struct Failure: Error, CustomStringConvertible { let description: String }

    var options: [String] { ["--nvidia", "--debug-opt=driver-root=\(path)"] }

    func library(_ name: String) -> String { "\(path)/usr/lib/\(name).so.\(Self.version)" }

    /// A program that calls the driver, and prints 42.
    func program() throws -> String {
        try folder.write(
            """
            #include <stdio.h>
            int cuDriverGetVersion(void);
            int main(void) { printf("%d\\n", cuDriverGetVersion()); }
            """, to: "program.c")
        let made = try run(
            [
                "gcc", "-o", folder / "program", folder / "program.c",
                "\(path)/usr/lib/libcuda.so.1",
            ])
        expect(made, exits: 0)
        return folder / "program"
    }
}
