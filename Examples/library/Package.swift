// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
    name: "run-inside",
    dependencies: [.package(name: "nsrun", path: "../..")],
    targets: [
        .executableTarget(
            name: "run-inside",
            dependencies: [.product(name: "NamespaceKit", package: "nsrun")]
        )
    ]
)
