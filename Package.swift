// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "nsrun",
    products: [
        .library(name: "NamespaceKit", targets: ["NamespaceKit"]),
        .executable(name: "nsrun", targets: ["nsrun"]),
    ],
    targets: [
        .systemLibrary(name: "CLibcap", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
        .target(
            name: "CNamespace",
            dependencies: ["CLibcap"]
        ),
        .target(name: "NamespaceKit", dependencies: ["CNamespace"]),
        .target(name: "LaunchCommand", dependencies: ["NamespaceKit"]),
        .executableTarget(
            name: "nsrun",
            dependencies: ["LaunchCommand"],
            linkerSettings: [
                // One static file: starts in a fifth of the time, and runs in any root.
                .unsafeFlags(["-static-executable"], .when(configuration: .release))
            ]
        ),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
