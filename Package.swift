// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// With NSRUN_EMBEDDED=1 in the environment the command is built with Embedded Swift: no runtime
// library, a fifth of the size, half of the start-up time. Scripts/build.sh does that. Without it
// NamespaceKit is an ordinary module, which any Swift program can import.
let isEmbedded = Context.environment["NSRUN_EMBEDDED"] == "1"

#if arch(arm64)
    let machine = "aarch64"
#else
    let machine = "x86_64"
#endif

// The embedded build has musl for its C library. glibc, linked into a static program, asks the processor some
// 75 questions before main(); in a virtual machine each goes to the host, and together they take 0.4 ms.
let musl = "\(machine)-linux-musl"
let headers = ["-isystem", "/usr/include/\(musl)"]
let cSettings: [CSetting] = isEmbedded ? [.unsafeFlags(headers)] : []
let swiftSettings: [SwiftSetting] =
    isEmbedded
    ? [
        .enableExperimentalFeature("Embedded"), .unsafeFlags(headers.flatMap { ["-Xcc", $0] }),
    ] : []
// The code of the libraries is generated once, in the executable, which Embedded Swift does anyway.
let librarySettings =
    swiftSettings + (isEmbedded ? [.enableExperimentalFeature("DeferredCodeGen")] : [])

// One static file either way: starts in a fifth of the time, and runs in any root.
let linkerSettings: [LinkerSetting] =
    isEmbedded
    ? [
        .unsafeFlags(
            [
                "-enable-experimental-feature", "Embedded", "-use-ld=lld", "-lgcc",
            ]
                + ["-static", "-nostdlib", "-Qunused-arguments"].flatMap { ["-Xclang-linker", $0] }
                + ["crt1.o", "crti.o", "libc.a", "crtn.o"].map { "/usr/lib/\(musl)/\($0)" }),
        // Relative to the directory of the toolchain's own libraries.
        .linkedLibrary(":../embedded/\(machine)-unknown-linux-gnu/libswiftUnicodeDataTables.a"),
    ]
    : [.unsafeFlags(["-static-executable"], .when(configuration: .release))]

// Each module says in a README what it is for, which is no source. Modules of headers alone have no list of sources.
let words = ["README.md"]

let launcher: [Target] = [
    .systemLibrary(name: "CLibcap", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
    .systemLibrary(
        name: "CLibseccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
    .systemLibrary(name: "CLibyaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .target(
        name: "CNamespace", dependencies: ["CLibcap"] + (isEmbedded ? ["CMusl"] : []),
        exclude: words, cSettings: cSettings),
    .target(
        name: "CHost", dependencies: ["CLibcap", "CLibseccomp", "CLibyaml", "CNamespace"],
        exclude: words, cSettings: cSettings + [.headerSearchPath("../CNamespace")]),
    .target(
        name: "NamespaceKit", dependencies: ["CHost", "CNamespace"], exclude: words,
        swiftSettings: librarySettings),
    .systemLibrary(
        name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(
        name: "CPack", dependencies: ["CArchive", "CZlib"], exclude: words, cSettings: cSettings),
    .target(
        name: "PackedProgram", dependencies: ["CHost", "CNamespace", "CPack", "NamespaceKit"],
        exclude: words, swiftSettings: librarySettings),
    .target(
        name: "LaunchCommand", dependencies: ["NamespaceKit", "PackedProgram"], exclude: words,
        swiftSettings: librarySettings),
    .executableTarget(
        name: "nsrun", dependencies: ["LaunchCommand", "CNamespace"], exclude: words,
        swiftSettings: swiftSettings, linkerSettings: linkerSettings),
]

// One static file, too, with what libarchive and FoundationEssentials themselves need.
let rootfsLinkerSettings: [LinkerSetting] =
    [.unsafeFlags(["-static-executable"], .when(configuration: .release))]
    + [
        "acl", "bz2", "lz4", "lzma", "zstd", "_FoundationCollections", "_FoundationCShims",
        "swiftSynchronization",
    ].map { .linkedLibrary($0, .when(configuration: .release)) }

// Getting and keeping root file systems: an ordinary program, for which Embedded Swift lacks too much.
let rootfs: [Target] = [
    .target(name: "CRootFilesystem", exclude: words),
    .target(
        name: "RootFilesystemKit",
        dependencies: [
            "CArchive", "CHost", "CNamespace", "CPack", "CRootFilesystem", "CZlib", "NamespaceKit",
        ],
        exclude: words),
    .executableTarget(
        name: "nsrun-rootfs",
        dependencies: [
            "RootFilesystemKit",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        exclude: words, linkerSettings: rootfsLinkerSettings),
]

let tests: [Target] = [
    .target(name: "CMuslParts", path: "Tests/CMuslParts"),
    .testTarget(name: "CMuslTests", dependencies: ["CMuslParts"]),
    .target(
        name: "CCheckedParts", dependencies: ["CNamespace"], path: "Tests/CCheckedParts",
        cSettings: [.unsafeFlags(["-fsanitize=undefined", "-fsanitize-trap=undefined"])]),
    .testTarget(
        name: "NamespaceKitTests", dependencies: ["CCheckedParts", "CHost", "NamespaceKit"]),
    .testTarget(name: "LaunchCommandTests", dependencies: ["LaunchCommand", "NamespaceKit"]),
    .testTarget(
        name: "RootFilesystemKitTests", dependencies: ["RootFilesystemKit", "nsrun-rootfs"]),
    .testTarget(
        name: "LaunchTests",
        exclude: ["automount", "ephemeral", "initramfs", "kernel"].map { "as-root-\($0).sh" } + [
            "as-root.sh"
        ]),
    .testTarget(name: "LibraryTests", dependencies: ["NamespaceKit"]),
    .testTarget(name: "BubblewrapTests", exclude: ["as-root.sh"]),
    .testTarget(name: "RootfsTests", exclude: ["as-root.sh", "as-root-neighbours.sh"]),
]

// With NSRUN_FUZZ=1 there is one more program, of the fuzzers: Scripts/fuzz.sh builds it.
let isFuzzed = Context.environment["NSRUN_FUZZ"] == "1"
let fuzzers: [Target] = [
    .target(name: "FuzzParts", path: "Tests/Fuzz/Parts"),
    .executableTarget(
        name: "fuzz",
        dependencies: [
            "CHost", "CNamespace", "CPack", "FuzzParts", "LaunchCommand", "NamespaceKit",
            "RootFilesystemKit",
        ],
        path: "Tests/Fuzz/Harness", swiftSettings: [.unsafeFlags(["-O"])]),
]

// What nsrun has beside musl. In any other program it would take the place of the C library's.
let beyondMusl: [Target] = [
    .target(name: "CMusl", exclude: words, cSettings: cSettings)
]

let package = Package(
    name: "nsrun",
    products: [
        .library(name: "NamespaceKit", targets: ["NamespaceKit"]),
        .executable(name: "nsrun", targets: ["nsrun"]),
    ]
        + (isEmbedded
            ? []
            : [
                .library(name: "RootFilesystemKit", targets: ["RootFilesystemKit"]),
                .executable(name: "nsrun-rootfs", targets: ["nsrun-rootfs"]),
            ]),
    dependencies: isEmbedded
        ? [] : [.package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")],
    targets: isEmbedded
        ? launcher + beyondMusl : launcher + rootfs + tests + (isFuzzed ? fuzzers : []),
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
