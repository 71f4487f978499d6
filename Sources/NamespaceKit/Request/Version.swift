// SPDX-License-Identifier: Apache-2.0

/// The version of nsrun, nsrun-rootfs and this library (semver.org).
public let nsrunVersion = "0.1.0"
