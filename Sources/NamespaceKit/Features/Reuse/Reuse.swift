// SPDX-License-Identifier: Apache-2.0

/// That a run starts from a copy of a world which is set up once, and kept until nobody has started from it for a while.
/// The run is the same as without: what it can write to is its own, and no run changes the world for another. Where a
/// world cannot be made or reached the run is launched without.
public struct Reuse: Sendable, Equatable {
    public enum World: Sendable, Equatable {
        /// The one that has all that this request asks for, and what the host has for it.
        case byContent
        /// The one of this name, which is not to be asked for with other options.
        case named(ByteString)
    }

    public var world: World
    /// It is kept for so many nanoseconds after it was last asked for.
    public var idle: Int64

    public init(_ world: World, idle: Int64 = Reuse.standardIdle) {
        self.world = world
        self.idle = idle
    }

    public static let standardIdle: Int64 = 30_000_000_000

    /// What ``World/byContent`` is called where worlds are listed.
    public static let contentName: ByteString = "auto"

    var name: ByteString {
        switch world {
        case .byContent: Self.contentName
        case .named(let name): name
        }
    }
}

/// A plan in two parts: what is done once, and kept, and what each run does.
public struct Preparation: Sendable, Equatable {
    public var reuse: Reuse
    /// Where those who keep worlds are met.
    public var folder: ByteString
    /// The directory that the root is made of.
    public var root: ByteString
    /// See ``LaunchRequest/note``.
    public var note: ByteString = ""
    /// Makes the world.
    public var ahead: [Step]
    /// Makes a run of a copy of it.
    public var run: [Step]
    /// The first of the run's that the command's own process does.
    public var commandStart: Int
}

extension LaunchPlan {
    /// What a run does that starts from a world.
    var fromWorld: LaunchPlan {
        guard let preparation else { return self }
        var plan = self
        plan.steps = preparation.run
        plan.commandStart = preparation.commandStart
        plan.lockedRootfs = preparation.root
        plan.preparation = nil
        return plan
    }

    /// What makes the world. Everything that is a run's own is left out.
    var ofWorld: LaunchPlan {
        guard let preparation else { return self }
        var plan = self
        plan.steps = preparation.ahead
        plan.commandStart = plan.steps.count
        plan.lockedRootfs = preparation.root
        plan.preparation = nil
        plan.shape = .child
        plan.namespaces = [.user, .mount, .pid]
        plan.lifecycle = Lifecycle()
        plan.limits = Limits()
        plan.followsLauncher = false
        plan.arguments = []
        plan.environment = []
        plan.processGroup = .callers
        plan.strays = .notAdopted
        plan.tracesSteps = false
        return plan
    }
}
