// swift-tools-version: 6.2
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

let swiftSettings: [SwiftSetting] =
    isEmbedded ? [.enableExperimentalFeature("Embedded")] : []

// One static file either way: starts in a fifth of the time, and runs in any root.
let linkerSettings: [LinkerSetting] =
    isEmbedded
    ? [
        .unsafeFlags([
            "-enable-experimental-feature", "Embedded", "-use-ld=lld", "-Xclang-linker", "-static",
        ]),
        // Relative to the directory of the toolchain's own libraries.
        .linkedLibrary(":../embedded/\(machine)-unknown-linux-gnu/libswiftUnicodeDataTables.a"),
    ]
    : [.unsafeFlags(["-static-executable"], .when(configuration: .release))]

let package = Package(
    name: "nsrun",
    products: [
        .library(name: "NamespaceKit", targets: ["NamespaceKit"]),
        .executable(name: "nsrun", targets: ["nsrun"]),
    ],
    targets: [
        .systemLibrary(name: "CLibcap", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
        .systemLibrary(
            name: "CLibseccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .target(name: "CNamespace", dependencies: ["CLibcap", "CLibseccomp"]),
        .target(name: "NamespaceKit", dependencies: ["CNamespace"], swiftSettings: swiftSettings),
        .target(
            name: "LaunchCommand", dependencies: ["NamespaceKit"], swiftSettings: swiftSettings),
        .executableTarget(
            name: "nsrun", dependencies: ["LaunchCommand", "CNamespace"],
            swiftSettings: swiftSettings, linkerSettings: linkerSettings),
        .testTarget(name: "NamespaceKitTests", dependencies: ["NamespaceKit"]),
        .testTarget(name: "LaunchCommandTests", dependencies: ["LaunchCommand", "NamespaceKit"]),
        .testTarget(name: "LaunchTests"),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
